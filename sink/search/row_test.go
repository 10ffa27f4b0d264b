package search

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

var stored = time.Date(2026, 11, 28, 15, 0, 0, 250_000_000, time.UTC)

func event(data string) *scan.Stored {
	return &scan.Stored{Kind: okta.Kind, Instance: "acme", Seq: 7, At: stored, Data: []byte(data), Header: nats.Header{}}
}

func rowOf(e *scan.Stored) string { return string(AppendRow(nil, okta.Kind, e)) }

// head is what begins a row.
func head(at, message string) string {
	return `{"_time":"` + at + `","stored":"2026-11-28T15:00:00.25Z","seq":"7","instance":"acme","_msg":"` + message + `"`
}

const storedText = "2026-11-28T15:00:00.25Z"

func TestRow(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{
			"members", `{"published":"2026-11-28T12:00:00.123Z","displayMessage":"User login to Okta","eventType":"user.session.start","actor":{"id":"00u1","detailEntry":null},"securityContext":{"isProxy":false,"asNumber":7922},"lat":99.0}`,
			head("2026-11-28T12:00:00.123Z", "User login to Okta") + `,"published":"2026-11-28T12:00:00.123Z","displayMessage":"User login to Okta","eventType":"user.session.start","actor.id":"00u1","securityContext.isProxy":"false","securityContext.asNumber":"7922","lat":"99.0"}`,
		},
		{
			"an array of objects", `{"displayMessage":"m","target":[{"id":"1","alternateId":"a@x","detailEntry":{"k":"v"}},{"id":"2","alternateId":null},{"id":"3","alternateId":"b@x"}]}`,
			head(storedText, "m") + `,"displayMessage":"m","target.id":"[\"1\",\"2\",\"3\"]","target.alternateId":"[\"a@x\",\"b@x\"]","target.detailEntry.k":"[\"v\"]"}`,
		},
		{
			"arrays of scalars, nested and mixed", `{"displayMessage":"m","a":["x",1,true,null,-0.5e3],"b":[[1,[2]],{"c":3}],"d":[],"e":{}}`,
			head(storedText, "m") + `,"displayMessage":"m","a":"[\"x\",1,true,-0.5e3]","b":"[1,2]","b.c":"[3]"}`,
		},
		{
			"escapes", `{"displayMessage":"a\"b\\c\/d\u00fc\u0001","x":["a\"b\\c\/d\u00fc\n"],"y":"\ud800\ud83d\ude00","<":"&"}`,
			head(storedText, `a\"b\\c/dü\u0001`) + `,"displayMessage":"a\"b\\c/dü\u0001","x":"[\"a\\\"b\\\\c/dü\\u000a\"]","y":"` + "\ufffd" + `😀","<":"&"}`,
		},
		{
			"names of ours", `{"displayMessage":"m","instance":"x","seq":1,"stored":"x","origin":"x","flaw":"x","_msg":"x","_time":"x","_stream":"x","_stream_id":"x","":"x","client":{"instance":"own"}}`,
			head(storedText, "m") + `,"displayMessage":"m","okta.instance":"x","okta.seq":"1","okta.stored":"x","okta.origin":"x","okta.flaw":"x","okta._msg":"x","okta._time":"x","okta._stream":"x","okta._stream_id":"x","okta.":"x","client.instance":"own"}`,
		},
		{
			"one name more than once", `{"displayMessage":"first","displayMessage":"last","a":{"b":1},"a.b":"2"}`,
			head(storedText, "last") + `,"displayMessage":"[\"first\",\"last\"]","a.b":"[1,\"2\"]"}`,
		},
		{"no message", `{"eventType":"a.b"}`, head(storedText, "a.b") + `,"eventType":"a.b"}`},
		{"nothing", `{}`, head(storedText, "(no message)") + `}`},
		{"no time", `{"displayMessage":7,"published":"yesterday"}`, head(storedText, "(no message)") + `,"displayMessage":"7","published":"yesterday"}`},
		{"a time that does not fit", `{"published":"9999-01-01T00:00:00Z"}`, head(storedText, "(no message)") + `,"published":"9999-01-01T00:00:00Z"}`},
		{"a time elsewhere", `{"published":"2026-11-28T12:00:00+02:00"}`, head("2026-11-28T10:00:00Z", "(no message)") + `,"published":"2026-11-28T12:00:00+02:00"}`},
		{"no JSON", `<a "b">`, head(storedText, `<a \"b\">`) + `,"flaw":"not a JSON object: it does not begin with a brace"}`},
		{"no object", `[{"a":1}]`, head(storedText, `[{\"a\":1}]`) + `,"flaw":"not a JSON object: it does not begin with a brace"}`},
		{"cut off", `{"a":1`, head(storedText, `{\"a\":1`) + `,"flaw":"not a JSON object: JSON ends too early"}`},
		{"empty", ``, head(storedText, ``) + `,"flaw":"not a JSON object: it does not begin with a brace"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := rowOf(event(test.data)); got != test.want+"\n" {
				t.Errorf("row of %s\n got %swant %s", test.data, got, test.want)
			}
		})
	}
}

func TestRowOfABackfill(t *testing.T) {
	e := event(`{"displayMessage":"m"}`)
	e.Header.Set(jets.HeaderOrigin, "backfill")
	if got, want := rowOf(e), head(storedText, "m")+`,"origin":"backfill","displayMessage":"m"}`+"\n"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Rows of real and of simulated events hold every scalar of the event.
func TestRowHoldsTheWholeEvent(t *testing.T) {
	events := oktatest.Samples(t)
	org := oktatest.New(oktatest.Config{Seed: 1})
	org.Generate(2000, 24*time.Hour)
	for _, e := range append(org.Events(), oktatest.OddEvents(1, stored)...) {
		events = append(events, e.Data)
	}
	for _, data := range events {
		row := parseRow(t, AppendRow(nil, okta.Kind, event(string(data))))
		if row[FieldFlaw] != "" {
			t.Errorf("%s: %s", data, row[FieldFlaw])
		}
		for name, want := range reference(t, data) {
			if got := row[name]; got != want {
				t.Errorf("%s is %s, want %s, of %.200s", name, got, want, data)
			}
		}
	}
}

// reference flattens an event the plain way.
func reference(t *testing.T, data []byte) map[string]string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("decode %q: %v", data, err)
	}
	values, arrays := map[string][]any{}, map[string]bool{}
	collect(v, "", false, values, arrays)
	fields := map[string]string{}
	for name, list := range values {
		if !arrays[name] {
			fields[name] = fmt.Sprint(list[0])
			continue
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(list); err != nil {
			t.Fatal(err)
		}
		fields[name] = strings.TrimSpace(b.String())
	}
	return fields
}

func collect(v any, path string, inArray bool, values map[string][]any, arrays map[string]bool) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, element := range v {
			collect(element, path, true, values, arrays)
		}
	case map[string]any:
		for name, member := range v {
			collect(member, strings.TrimPrefix(path+"."+name, "."), inArray, values, arrays)
		}
	default:
		values[path], arrays[path] = append(values[path], v), inArray
	}
}

// parseRow reads a row and holds it to what VictoriaLogs takes.
func parseRow(t *testing.T, row []byte) map[string]string {
	t.Helper()
	var fields map[string]string
	if err := json.Unmarshal(row, &fields); err != nil || bytes.IndexByte(row, '\n') != len(row)-1 || !utf8.Valid(row) {
		t.Fatalf("not a line of JSON whose values are text (%v): %q", err, row)
	}
	if len(row) > 256<<10 || len(fields) > 1000 {
		t.Fatalf("a row of %d bytes with %d fields", len(row), len(fields))
	}
	for name := range fields {
		if name == "" || len(name) > maxName {
			t.Fatalf("the name %q", name)
		}
	}
	if _, err := time.Parse(time.RFC3339, fields[FieldTime]); err != nil || fields[FieldSeq] != "7" || fields[FieldInstance] != "acme" {
		t.Fatalf("a row without its own fields: %s", row)
	}
	return fields
}

func TestRowOfAHostileEvent(t *testing.T) {
	var many, long strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"m%d":"%d"`, i, i)
		fmt.Fprintf(&long, `,"%s%d":"v"`, strings.Repeat("n", 100), i*1_000_000_000_000)
	}
	for _, test := range []struct{ name, data, flaw string }{
		{"10,000 members", `{"a":1` + many.String() + `}`, "9101 members left out"},
		{"10,000 long names", `{"a":1` + long.String() + `}`, "9101 members left out"},
		{"a name of a megabyte", `{"` + strings.Repeat("ü", 500_000) + `":1}`, "1 names cut"},
		{"a name that is not UTF-8", "{\"a\xff\":1}", "1 names cut"},
		{"control characters", `{"a` + strings.Repeat(`\u0000`, 200) + `":"` + strings.Repeat(`\u0001`, 100_000) + `"}`, "1 members left out, 1 values cut, 1 names cut"},
		{"a value of a megabyte", `{"a":"` + strings.Repeat("x", 1_000_000) + `","b":2}`, "1 values cut"},
		{"a number of a megabyte", `{"a":` + strings.Repeat("1", 1_000_000) + `,"b":2}`, "1 values cut"},
		{"an array of a megabyte", `{"a":["` + strings.Repeat(`xxxxxxxx","`, 100_000) + `"]}`, "1 values cut"},
		{"two large values", `{"a":"` + strings.Repeat("x", 127_000) + `","b":"` + strings.Repeat("x", 127_000) + `","c":3}`, "1 members left out"},
		{"9,000 arrays within each other", `{"a":` + strings.Repeat("[", 9000) + `1` + strings.Repeat("]", 9000) + `}`, ""},
		{"9,000 objects within each other", strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat("}", 9000), "1 names cut"},
		{"nesting without an end", strings.Repeat(`{"a":`, 100_000), "not a JSON object: JSON nests too deep"},
		{"a message of a megabyte", `{"displayMessage":"` + strings.Repeat("m", 1_000_000) + `"}`, "1 values cut"},
		{"a megabyte that is no JSON", strings.Repeat("\x00", 1_000_000), "not a JSON object: it does not begin with a brace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if row := parseRow(t, AppendRow(nil, okta.Kind, event(test.data))); row[FieldFlaw] != test.flaw {
				t.Errorf("flaw %q, want %q", row[FieldFlaw], test.flaw)
			}
		})
	}
}

func FuzzRow(f *testing.F) {
	for _, e := range oktatest.OddEvents(1, stored) {
		f.Add(e.Data[:min(len(e.Data), 1000)])
	}
	for _, data := range oktatest.Samples(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := event(string(data))
		before := slices.Clone(e.Data)
		row := AppendRow([]byte("x"), okta.Kind, e)
		fields := parseRow(t, row[1:])
		if !bytes.Equal(before, e.Data) {
			t.Fatal("the event was changed")
		}
		if refused := strings.HasPrefix(fields[FieldFlaw], "not a JSON object"); refused == (json.Valid(data) && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))) {
			t.Fatalf("%q: flaw %q", data, fields[FieldFlaw])
		}
	})
}

func BenchmarkAppendRow(b *testing.B) {
	org := oktatest.New(oktatest.Config{Seed: 1})
	org.Generate(1000, time.Hour)
	var events []*scan.Stored
	for _, e := range org.Events() {
		events = append(events, event(string(e.Data)))
		b.SetBytes(int64(len(e.Data)))
	}
	var row []byte
	var r rower
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		row, _ = r.append(row[:0], okta.Kind, events[i%len(events)])
	}
}

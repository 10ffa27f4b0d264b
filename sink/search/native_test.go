package search

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// nativeRow decodes a native row, and holds it to the order of its fields.
func nativeRow(t *testing.T, row []byte) map[string]string {
	t.Helper()
	text := func() string {
		size, n := binary.Uvarint(row)
		value := string(row[n:][:size])
		row = row[n:][size:]
		return value
	}
	row = row[8:]
	stream := text()
	at := time.Unix(0, int64(binary.BigEndian.Uint64(row)))
	row = row[8:]
	count, n := binary.Uvarint(row)
	row = row[n:]
	fields := map[string]string{FieldTime: at.UTC().Format(time.RFC3339Nano)}
	var names []string
	for range count {
		name := text()
		names = append(names, name)
		if name == "" {
			name = FieldMessage
		}
		if fields[name] = text(); len(name) > maxName {
			t.Fatalf("the name %q", name)
		}
	}
	if len(row) > 0 || !slices.IsSorted(names) || len(slices.Compact(names)) != int(count) || count > 1000 || stream != "\x01\x08instance\x04acme" {
		t.Fatalf("a row of the stream %q, with fields %q and %d bytes more", stream, names, len(row))
	}
	return fields
}

// A native row has the fields of a row as JSON.
func TestNativeRow(t *testing.T) {
	events := oktatest.Samples(t)
	org := oktatest.New(oktatest.Config{Seed: 1})
	org.Generate(500, 24*time.Hour)
	for i, e := range append(org.Events(), oktatest.OddEvents(1, stored)...) {
		events = append(events, e.Data)
		if i%50 == 0 { // names that were not met before, so that all is forgotten at times
			var many strings.Builder
			for n := range 1000 {
				fmt.Fprintf(&many, `,"m%d.%d":"%d\n"`, i, n, n)
			}
			events = append(events, []byte(`{"a":["b\"",7]`+many.String()+`}`))
		}
	}
	for _, odd := range []string{``, `<no "JSON">`, `{"a":"\ud800\u00fc","b":["\ud800"],"displayMessage":"a\"b"}`, `{"a":"\"\\\/\b\f\n\r\t\\n","b":["\n"]}`, `{"instance":"x","_msg":["y"],"":1}`, "{\"a\":\"\xff\",\"\xff\":1}"} {
		events = append(events, []byte(odd))
	}
	var n natives
	for _, data := range events {
		wantNative(t, &n, event(string(data)))
	}
}

func wantNative(t *testing.T, n *natives, e *scan.Stored) {
	t.Helper()
	row, _ := n.append([]byte("before"), okta.Kind, e)
	var want map[string]string
	if err := json.Unmarshal(AppendRow(nil, okta.Kind, e), &want); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(want, func(_, value string) bool { return value == "" })
	got := nativeRow(t, row[len("before"):])
	maps.DeleteFunc(got, func(_, value string) bool { return value == "" })
	if !maps.Equal(got, want) && !strings.Contains(want[FieldFlaw]+got[FieldFlaw], "left out") && !strings.Contains(want[FieldFlaw], "values cut") {
		t.Fatalf("of %.200s\n got %v\nwant %v", e.Data, got, want)
	}
}

func FuzzNativeRow(f *testing.F) {
	for _, data := range oktatest.Samples(f) {
		f.Add(data, []byte(`{"a":"b"}`))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var n natives // which remembers the first
		wantNative(t, &n, event(string(first)))
		wantNative(t, &n, event(string(second)))
	})
}

func BenchmarkNativeRow(b *testing.B) {
	org := oktatest.New(oktatest.Config{Seed: 1})
	org.Generate(1000, time.Hour)
	var events []*scan.Stored
	for _, e := range org.Events() {
		events = append(events, event(string(e.Data)))
		b.SetBytes(int64(len(e.Data)))
	}
	var row []byte
	var n natives
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		row, _ = n.append(row[:0], okta.Kind, events[i%len(events)])
	}
}

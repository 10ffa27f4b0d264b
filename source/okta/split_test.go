package okta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

func TestSplit(t *testing.T) {
	published := time.Date(2026, 8, 21, 8, 2, 45, 120e6, time.UTC)
	const stamp = "2026-08-21T08:02:45.120Z"
	for _, test := range []struct {
		name, element string
		want          pipeline.Event
	}{
		{"event", `{"uuid":"a-1","published":"` + stamp + `","eventType":"user.session.start"}`,
			pipeline.Event{UUID: "a-1", Published: published, Time: stamp, Type: "user.session.start"}},
		{"other order, white space", "{ \"eventType\" : \"t\" ,\r\n\t\"uuid\" : \"a\" }", pipeline.Event{UUID: "a", Type: "t"}},
		{"offset", `{"uuid":"a","published":"2026-08-21T10:02:45.12+02:00"}`,
			pipeline.Event{UUID: "a", Published: published, Time: "2026-08-21T10:02:45.12+02:00"}},
		{"nested names", `{"uuid":"a","actor":{"uuid":"b","eventType":"x"},"target":[{"uuid":"c","published":"` + stamp + `"}]}`,
			pipeline.Event{UUID: "a"}},
		{"other case", `{"UUID":"b","uuid":"a","Uuid":"c","EventType":"x","eventtype":"y"}`, pipeline.Event{UUID: "a"}},
		{"last wins", `{"uuid":"a","eventType":"x","uuid":"b","eventType":"y"}`, pipeline.Event{UUID: "b", Type: "y"}},
		{"last wins, null", `{"uuid":"a","uuid":null}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"escaped name", `{"\u0075uid":"a","event\u0054ype":"t"}`, pipeline.Event{UUID: "a", Type: "t"}},
		{"escaped quote in a name", `{"uuid\"":"a"}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"escaped value", `{"uuid":"\u0061\/\\b","eventType":"a\nb"}`, pipeline.Event{UUID: `a/\b`, Type: "a\nb"}},
		{"umlaut", `{"uuid":"ä","eventType":"ö"}`, pipeline.Event{UUID: "ä", Type: "ö"}},
		{"no uuid", `{"eventType":"t"}`, pipeline.Event{Type: "t", Flaw: pipeline.FlawNoUUID}},
		{"empty uuid", `{"uuid":""}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"uuid number", `{"uuid":7}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"uuid object", `{"uuid":{"uuid":"a"}}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"uuid with a control character", `{"uuid":"a\u0000"}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"uuid that can't be decoded", `{"uuid":"\ud800"}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"uuid that is not UTF-8", "{\"uuid\":\"a\xff\"}", pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"type number", `{"uuid":"a","eventType":1}`, pipeline.Event{UUID: "a"}},
		{"published no time", `{"uuid":"a","published":"yesterday"}`, pipeline.Event{UUID: "a"}},
		{"published no strict time", `{"uuid":"a","published":"2026-08-21T8:02:45Z"}`, pipeline.Event{UUID: "a"}},
		{"published with a comma", `{"uuid":"a","published":"2026-08-21T08:02:45,120Z"}`, pipeline.Event{UUID: "a"}},
		{"published out of all years", `{"uuid":"a","published":"9999-12-31T23:59:59-01:00"}`, pipeline.Event{UUID: "a"}},
		{"published number", `{"uuid":"a","published":1627500044869}`, pipeline.Event{UUID: "a"}},
		{"empty object", `{}`, pipeline.Event{Flaw: pipeline.FlawNoUUID}},
		{"string", `"a"`, pipeline.Event{Flaw: pipeline.FlawNotObject}},
		{"null", `null`, pipeline.Event{Flaw: pipeline.FlawNotObject}},
		{"number", `-1.5e+7`, pipeline.Event{Flaw: pipeline.FlawNotObject}},
		{"array", `[{"uuid":"a"}]`, pipeline.Event{Flaw: pipeline.FlawNotObject}},
	} {
		t.Run(test.name, func(t *testing.T) {
			events, err := split([]byte(" [\n"+test.element+" , {\"uuid\":\"last\"} ]\n"), 999)
			if err != nil || len(events) != 2 {
				t.Fatalf("%d events, %v", len(events), err)
			}
			got := events[0]
			if string(got.Data) != test.element || cap(got.Data) != len(got.Data) {
				t.Errorf("bytes %q (capacity %d), want %q", got.Data, cap(got.Data), test.element)
			}
			got.Data = nil
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, body := range []string{
		"", " ", "{}", "null", `"[]"`, "7", "<!DOCTYPE html><html></html>", "[", "[{}", "[{},", "[{},]", "[,]", "[{}]]", "[{}] []", "[{}]x",
		"[tru]", `[{"a"}]`, "[1 2]", "\xef\xbb\xbf[]", "[]\x00",
	} {
		if events, err := split([]byte(body), 10); err == nil {
			t.Errorf("%.40q gave %d events", body, len(events))
		}
	}
}

func TestSplitSamples(t *testing.T) {
	lines := oktatest.Samples(t)
	events, err := split([]byte("["+string(bytes.Join(lines, []byte(",")))+"]"), len(lines))
	if err != nil || len(events) != len(lines) {
		t.Fatalf("%d events of %d lines, %v", len(events), len(lines), err)
	}
	for i, event := range events {
		if !bytes.Equal(event.Data, lines[i]) || event.Flaw != "" || event.Published.IsZero() || event.Type == "" {
			t.Errorf("line %d: %q %q %q", i+1, event.Flaw, event.Time, event.Type)
		}
	}
}

// FuzzSplit compares split with encoding/json: both accept the same texts, find the same
// elements and read the same members.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		`[]`, ` [ ] `, `[{"uuid":"a","published":"2026-08-21T08:02:45.120Z","eventType":"t"},null,1,"x",[[]]]`,
		`[{"\u0075uid":"\ud83d\ude00","uuid":"\ud800"}]`, `[-0.1e-7,10E+2,true,false]`, `[{"uuid":{}}`, `[1,]`, "[\"\x7f\xff\"]", `{}`, `[[[[`,
		`[{"a":{"b":[{"uuid":1}]},"uuid":"x"}] `, `["\"\\\/\b\f\n\r\t"]`, `[{"uuid":"a","published":"2026-08-21T08:02:45.1+02:00"}]`, `[01]`, `[1]2`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var want []json.RawMessage
		wantErr := json.Unmarshal(body, &want)
		if wantErr == nil && want == nil {
			wantErr = fmt.Errorf("null is no array")
		}
		events, err := split(bytes.Clone(body), 100)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/json: %v", body, err, wantErr)
		}
		if err != nil {
			return
		}
		if len(events) != len(want) {
			t.Fatalf("%q: %d events, encoding/json has %d", body, len(events), len(want))
		}
		for i, event := range events {
			sameEvent(t, event, want[i])
		}
	})
}

var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

func sameEvent(t *testing.T, got pipeline.Event, raw json.RawMessage) {
	t.Helper()
	if !bytes.Equal(got.Data, raw) {
		t.Fatalf("bytes %q, want %q", got.Data, raw)
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil || all == nil {
		if got.Flaw != pipeline.FlawNotObject {
			t.Fatalf("%q has flaw %q", raw, got.Flaw)
		}
		return
	}
	member := func(name string) (s string) {
		var v any
		_ = json.Unmarshal(all[name], &v)
		s, _ = v.(string)
		return s
	}
	uuid := member("uuid")
	if uuid == "" || strings.ContainsFunc(uuid, func(r rune) bool { return !unicode.IsPrint(r) || r == '\ufffd' }) {
		uuid = ""
	}
	stamp := member("published")
	var at time.Time
	if !rfc3339.MatchString(stamp) || at.UnmarshalText([]byte(stamp)) != nil || at.IsZero() || at.UTC().Year() < 1 || at.UTC().Year() > 9999 {
		stamp = ""
	}
	if got.UUID != uuid || (got.Flaw == "") != (uuid != "") || got.Type != member("eventType") {
		t.Fatalf("%q: %+v, want uuid %q", raw, got, uuid)
	}
	if got.Time != stamp || stamp != "" && !got.Published.Equal(at) {
		t.Fatalf("%q: published %q %v, want %q %v", raw, got.Time, got.Published, stamp, at)
	}
}

// samplePage returns a page of n events of about 2 KB.
func samplePage(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteByte("[,"[min(i, 1)])
		fmt.Fprintf(&b, `{"actor":{"id":"00u%017d","type":"User","alternateId":"user%d@example.com","displayName":"A User","detailEntry":null},`, i, i)
		b.WriteString(`"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36","os":"Mac OS X","browser":"CHROME"},"zone":"null","device":"Computer","id":null,"ipAddress":"198.51.100.7","geographicalContext":{"city":"Berlin","state":"Land Berlin","country":"Germany","postalCode":"10115","geolocation":{"lat":52.5196,"lon":13.4069}}},`)
		b.WriteString(`"debugContext":{"debugData":{"requestId":"aabbccddeeff","dtHash":"0123456789abcdef","requestUri":"/api/v1/authn","risk":"{reasons=Anomalous Device, level=MEDIUM}","note":"` + strings.Repeat("words of no consequence ", 40) + `","url":"/api/v1/authn?"}},`)
		fmt.Fprintf(&b, `"displayMessage":"User login to Okta","eventType":"user.session.start","outcome":{"result":"SUCCESS","reason":null},"published":"2026-08-21T08:02:45.%03dZ","severity":"INFO","target":[{"id":"0oa1","type":"AppInstance","alternateId":"An App","displayName":"An App","detailEntry":{"signOnModeType":"SAML_2_0"}}],"uuid":"%08x-0000-4000-8000-000000000000","version":"0","request":{"ipChain":[{"ip":"198.51.100.7","geographicalContext":null,"version":"V4","source":null}]}}`, i%1000, i)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func BenchmarkSplit(b *testing.B) {
	body := samplePage(1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if events, err := split(body, 1000); err != nil || len(events) != 1000 {
			b.Fatal(len(events), err)
		}
	}
}

package oktatest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// meet asks an org whose every answer has a fault; redirects are not followed.
func meet(t *testing.T, c *http.Client, origin, link string) asked {
	t.Helper()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return askOver(t, c, origin, link)
}

func faulty(f Fault) *Org {
	o := New(Config{Seed: 8, Rate: Rate{PerMinute: -1}})
	o.GenerateFrom(o.Now().Truncate(24*time.Hour).Add(-24*time.Hour), 60, time.Hour) // the same at any time of a day
	o.SetFault(func(Request) Fault { return f })
	return o
}

func TestFaultsOverASocketAreThoseInProcess(t *testing.T) {
	for _, f := range Faults() {
		t.Run(f.Name, func(t *testing.T) {
			if f.Bomb > 0 {
				f.Bomb = 1 << 20
			}
			f.Wait, f.Slow = min(f.Wait, 1), min(f.Slow, 100)
			server := httptest.NewServer(faulty(f))
			defer server.Close()
			link := LogsPath + "?limit=50"
			over := meet(t, server.Client(), server.URL, link)
			in := meet(t, &http.Client{Transport: faulty(f).Transport()}, server.URL, link)
			if (over.err != nil) != (in.err != nil) {
				t.Fatalf("socket: %v, in process: %v", over.err, in.err)
			}
			if over.Response == nil || in.Response == nil {
				if over.Response != in.Response {
					t.Fatalf("socket: %v, in process: %v", over.Response, in.Response)
				}
				return
			}
			if over.StatusCode != in.StatusCode || over.err == nil && string(over.body) != string(in.body) {
				t.Errorf("socket: %d, %d bytes; in process: %d, %d bytes", over.StatusCode, len(over.body), in.StatusCode, len(in.body))
			}
			over.Header.Del("Date")
			in.Header.Del("Date")
			over.Header.Del("Content-Length") // which the server adds to short answers
			in.Header.Del("Content-Length")
			if !reflect.DeepEqual(over.Header, in.Header) {
				t.Errorf("socket: %v\nin process: %v", over.Header, in.Header)
			}
		})
	}
}

func TestErrorsComeInBothForms(t *testing.T) {
	members := func(bare bool) map[string]json.RawMessage {
		a := ask(t, faulty(Fault{Status: 500, Code: "E0000053", Summary: "Sorry", Bare: bare}), LogsPath)
		m := make(map[string]json.RawMessage)
		if err := json.Unmarshal(a.body, &m); err != nil || a.StatusCode != 500 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		return m
	}
	if whole := members(false); len(whole) != 5 || string(whole["errorCauses"]) != "[]" || string(whole["errorLink"]) != `"E0000053"` {
		t.Errorf("%s", whole)
	}
	if bare := members(true); len(bare) != 2 {
		t.Errorf("%s", bare)
	}
}

func TestBrokenBodies(t *testing.T) {
	for _, f := range BodyFaults() {
		if f.Slow > 0 || f.Wait > 0 || f.Bomb > 0 {
			continue
		}
		a := ask(t, faulty(f), LogsPath+"?limit=50")
		var page []json.RawMessage
		if err := json.Unmarshal(a.body, &page); a.err == nil && err == nil && page != nil {
			t.Errorf("%s: is a page", f.Name)
		}
	}
}

func TestABombInflates(t *testing.T) {
	resp, err := (&http.Client{Transport: faulty(Fault{Bomb: 8 << 20}).Transport()}).Do(authorized(t))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 8<<20+1 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func authorized(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://tidewater.okta.example"+LogsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS 00test")
	return req
}

func TestPagesWithForeignElementsStayWithinTheLimit(t *testing.T) {
	for _, f := range ElementFaults() {
		o := faulty(f)
		a := ask(t, o, LogsPath+"?limit=50")
		if len(a.elements) != 50 {
			t.Errorf("%s: %d elements, want 50", f.Name, len(a.elements))
		}
		seen, others := make(map[string]bool), 0
		for _, e := range a.elements {
			if uuid := uuidOf(e); uuid == "" || seen[uuid] {
				others++
			} else {
				seen[uuid] = true
			}
		}
		if want := len(f.Inject) + f.Repeat; others != want {
			t.Errorf("%s: %d elements are no events or repeated, want %d", f.Name, others, want)
		}
	}
}

func TestRepeatsAreTheSameEvents(t *testing.T) {
	o := New(Config{Seed: 9, RepeatWithin: 0.5, RepeatAcross: 0.5, Rate: Rate{PerMinute: -1}})
	o.Generate(600, time.Hour)
	link, served := LogsPath+"?limit=50", 0
	got := make(map[string]string)
	for {
		a := ask(t, o, link)
		for _, e := range a.elements {
			uuid := uuidOf(e)
			if before, ok := got[uuid]; ok && before != string(e) {
				t.Fatalf("%s is served in two forms", uuid)
			}
			got[uuid] = string(e)
			served++
		}
		if len(a.elements) < 50 {
			break
		}
		link = next(t, a)
	}
	if len(got) != 600 || served <= 605 {
		t.Errorf("%d events served %d times", len(got), served)
	}
}

func TestOddEventsAreServedToTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{})
		o.Add(OddEvents(1, o.Now())...)
		o.Add(Oversize(1, 2<<20, o.Now()))
		for _, raw := range NonEvents() {
			o.Add(Event{Data: []byte(raw)})
		}
		a := ask(t, o, LogsPath)
		want := o.Events()
		if len(a.elements) != len(want) {
			t.Fatalf("%d elements, want %d", len(a.elements), len(want))
		}
		for i, e := range a.elements {
			if string(e) != string(want[i].Data) || uuidOf(e) != want[i].UUID {
				t.Errorf("element %d differs", i)
			}
			if odd := i < len(want)-len(NonEvents()); odd != (want[i].UUID != "") {
				t.Errorf("element %d: uuid %q", i, want[i].UUID)
			}
		}
	})
}

func TestWeatherIsDrawnFromItsSeed(t *testing.T) {
	draw := func(seed uint64) string {
		var names []string
		for n := range 200 {
			names = append(names, Weather{Seed: seed, Share: 0.3}.Fault(Request{N: n}).Name)
		}
		return strings.Join(names, ",")
	}
	if first, again := draw(1), draw(1); first != again || first == draw(2) {
		t.Error("faults do not follow the seed")
	}
	if n := 201 - len(strings.Split(strings.ReplaceAll(draw(1), ",,", ","), ",")); n < 20 {
		t.Errorf("too few faults or too many: %s", draw(1))
	}
}

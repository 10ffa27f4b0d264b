package oktatest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// asked is an answer as a client sees it.
type asked struct {
	*http.Response
	body     []byte
	elements []json.RawMessage
	err      error // of the request or of its body
}

// ask sends a request; link is a path and query or a whole URL.
func ask(t *testing.T, o *Org, link string) asked {
	t.Helper()
	return askOver(t, &http.Client{Transport: o.Transport()}, "https://tidewater.okta.example", link)
}

func askOver(t *testing.T, c *http.Client, origin, link string) asked {
	t.Helper()
	at, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	if at, err = at.Parse(link); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS 00test")
	resp, err := c.Do(req)
	if err != nil {
		return asked{err: err}
	}
	defer resp.Body.Close()
	a := asked{Response: resp}
	a.body, a.err = io.ReadAll(resp.Body)
	_ = json.Unmarshal(a.body, &a.elements)
	return a
}

func TestPollingServesEveryEventInOrderOfPersistence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 1})
		o.Generate(1250, 24*time.Hour)
		want := o.Events()
		link, got := LogsPath+"?limit=500&since="+o.Now().Add(-25*time.Hour).Format(time.RFC3339), 0
		back := 0
		for _, size := range []int{500, 500, 250, 0} {
			a := ask(t, o, link)
			if len(a.elements) != size {
				t.Fatalf("page of %d, want %d: %s %v", len(a.elements), size, a.body[:min(200, len(a.body))], a.err)
			}
			for _, e := range a.elements {
				if string(e) != string(want[got].Data) {
					t.Fatalf("element %d is not the event that was persisted there", got)
				}
				if got > 0 && want[got].Published.Before(want[got-1].Published) {
					back++
				}
				got++
			}
			link = next(t, a)
		}
		if back == 0 {
			t.Error("published never goes back: the two clocks are one")
		}
		a := ask(t, o, link)
		if again := next(t, a); again != link {
			t.Errorf("an empty page leads from %s to %s", link, again)
		}
		time.Sleep(time.Second)
		o.Add(Event{})
		if a := ask(t, o, link); len(a.elements) != 1 {
			t.Errorf("a cursor asked again serves %d new events, want 1", len(a.elements))
		}
	})
}

func TestOverASocketAsInProcess(t *testing.T) {
	o := New(Config{Seed: 2})
	o.Generate(300, time.Hour)
	server := httptest.NewServer(o)
	defer server.Close()
	link := LogsPath + "?limit=300"
	over := askOver(t, server.Client(), server.URL, link)
	in := ask(t, o, link)
	if over.err != nil || len(over.elements) != 300 || string(over.body) != string(in.body) {
		t.Fatalf("the answers differ: %d and %d elements, %v", len(over.elements), len(in.elements), over.err)
	}
	if !over.Uncompressed || !in.Uncompressed {
		t.Error("answers were not compressed")
	}
}

func TestPollersAndWritersAtOnce(t *testing.T) {
	o := New(Config{Seed: 2, Links: Links{Vary: true}, Rate: Rate{PerMinute: -1}, Requests: 10})
	var writers, pollers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 50 {
				o.Add(Event{})
			}
		})
	}
	for range 4 {
		pollers.Go(func() {
			link := LogsPath + "?limit=20"
			for n := 0; n < 200; {
				a := ask(t, o, link)
				if n += len(a.elements); len(a.elements) > 0 || hasNext(a) {
					link = next(t, a)
				}
				o.Stats()
				o.Requests()
			}
		})
	}
	writers.Wait()
	pollers.Wait()
}

// An org that runs for long keeps its newest events, and serves them as before.
func TestMostEventsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Config{Seed: 1, Most: 100})
		o.Generate(1000, time.Hour)
		if n := o.Len(); n < 100 || n > 120 {
			t.Errorf("%d events kept of 1000, want 100 to 120", n)
		}
		before := ask(t, o, LogsPath+"?limit=1000")
		link := next(t, before)
		if len(before.elements) != o.Len() {
			t.Errorf("%d of %d events served", len(before.elements), o.Len())
		}
		o.Generate(50, 0)
		if after := ask(t, o, link); after.err != nil || len(after.elements) != 50 {
			t.Errorf("%d events after the newest one, want 50: %v", len(after.elements), after.err)
		}
	})
}

package api

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// event is a server-sent event.
type event struct{ name, id, data string }

// follow reads the stream of changes until the test ends, or stop is called.
func (f *fixture) follow(last string) (events <-chan event, stop func()) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), "GET", f.server.URL+"/api/v1/status/stream", nil)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", last)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		f.Errorf("content type %s", kind)
	}
	all := make(chan event, 1000)
	go func() {
		defer close(all)
		var e event
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			name, text, _ := strings.Cut(s.Text(), ": ")
			switch name {
			case "event":
				e.name = text
			case "id":
				e.id = text
			case "data":
				e.data = text
			case "":
				if e.name != "" {
					all <- e
				}
				e = event{}
			}
		}
	}()
	stop = func() { _ = answer.Body.Close() }
	f.Cleanup(stop)
	return all, stop
}

// next returns the next event of a name.
func (f *fixture) next(events <-chan event, name string) event {
	f.Helper()
	for deadline := time.After(10 * time.Second); ; {
		select {
		case e, ok := <-events:
			if !ok {
				f.Fatal("the stream ended")
			}
			if e.name == name {
				return e
			}
		case <-deadline:
			f.Fatalf("no %s within 10 s", name)
		}
	}
}

// Followers get every integration first, then what changes, and continue where they were.
func TestStatusStream(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	f.eventually("the picture has it", func() bool { _, ok := f.view.Fleet().Of("acme"); return ok })
	events, stop := f.follow("")
	f.next(events, "reset")
	first := f.next(events, "status")
	if err := schemas.Validate("status", []byte(first.data)); err != nil {
		t.Errorf("%s: %v", first.data, err)
	}
	if !strings.Contains(first.data, `"instance":"acme"`) || !strings.Contains(first.data, `"state":"new"`) || strings.Contains(first.data, "s3cret") {
		t.Errorf("first is %s", first.data)
	}
	last := f.next(events, "fleet")
	sinktest.Put(t, f.store, "STATUS", "okta.acme", `{"version":1,"state":"polling","holder":"one","updated_at":"`+time.Now().UTC().Format(time.RFC3339)+`"}`)
	sinktest.Put(t, f.store, "LOCKS", "session.one", `{"id":"1"}`)
	sinktest.Put(t, f.store, "LOCKS", "okta.acme", `{"holder":"one","session":"1"}`)
	for {
		var s struct{ State, Class string }
		if err := json.Unmarshal([]byte(f.next(events, "status").data), &s); err != nil {
			t.Fatal(err)
		}
		if s.State == "polling" && s.Class == "green" {
			break
		}
	}
	f.next(events, "alive")
	stop()

	events, _ = f.follow(last.id)
	e := <-events
	if e.name != "status" || !strings.Contains(e.data, `"polling"`) {
		t.Errorf("after a break comes %+v", e)
	}
	f.want(204, "DELETE", "/api/v1/integrations/acme", "")
	kv, err := f.store.Conn.JS.KeyValue(t.Context(), "STATUS")
	if err == nil {
		err = kv.Delete(t.Context(), "okta.acme")
	}
	if err != nil {
		t.Fatal(err)
	}
	if e := f.next(events, "gone"); e.data != `{"instance":"acme"}` {
		t.Errorf("gone: %+v", e)
	}
}

// The documents of the status fit their schema.
func TestStatus(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	sinktest.Put(t, f.store, "STATUS", "okta.acme", `{"version":1,"state":"polling","holder":"","updated_at":"2026-11-28T09:00:00Z"}`)
	f.eventually("the status is there", func() bool { i, _ := f.view.Fleet().Of("acme"); return !i.UpdatedAt.IsZero() })
	var all []json.RawMessage
	if err := json.Unmarshal(f.want(200, "GET", "/api/v1/status", "").body, &all); err != nil || len(all) != 1 {
		t.Fatal(err, len(all))
	}
	if err := schemas.Validate("status", all[0]); err != nil {
		t.Errorf("%s: %v", all[0], err)
	}
	fleet := f.want(200, "GET", "/api/v1/fleet", "")
	if rates, _ := fleet.member("events_per_second").([]any); len(rates) != 60 || fleet.member("integrations") == nil || fleet.member("complete") != true {
		t.Errorf("the fleet is %s", fleet.body)
	}
	f.want(200, "GET", "/api/v1/openapi.json", "")
	if r := f.want(200, "GET", "/api/v1/integrations/acme/history", ""); r.member("ticks") == nil {
		t.Errorf("the strip is %s", r.body)
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/overview"
	"github.com/witfoo/signal-client/source/breaker"
)

// sourceFunc is a pipeline.Source.
type sourceFunc func() error

func (f sourceFunc) Poll(context.Context, pipeline.Link) (pipeline.Page, error) {
	return pipeline.Page{}, f()
}

// A breaker stands through a changed interval, and makes way for a new one when
// origin or credential change.
func TestGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			state   string
			refused bool
		}
		var heard []told
		trace := pipeline.Traces(&pipeline.Trace{Breaker: func(_, state string, refused bool) { heard = append(heard, told{state, refused}) }})
		refusing := sourceFunc(func() error { return pipeline.ErrCredential })
		asked := 0
		counting := sourceFunc(func() error { asked++; return nil })
		first := pipeline.NewSecret("first")
		i := pipeline.Integration{Kind: kinds.Default, Instance: "prod", Origin: "https://acme.okta.com", PollInterval: time.Minute}
		var g guards
		if _, err := g.Before(refusing, i, first, trace).Poll(t.Context(), ""); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		poll := func(i pipeline.Integration, token pipeline.Secret) error {
			_, err := g.Before(counting, i, token, trace).Poll(t.Context(), "")
			return err
		}

		i.PollInterval = time.Second
		if err := poll(i, first); !errors.Is(err, pipeline.ErrCredential) || asked != 0 {
			t.Errorf("after a changed interval: %v, asked %d times", err, asked)
		}
		other := i
		other.Origin = "https://acme.oktapreview.com"
		if err := poll(other, first); err != nil || asked != 1 {
			t.Errorf("after a changed origin: %v, asked %d times", err, asked)
		}
		if _, err := g.Before(refusing, i, first, trace).Poll(t.Context(), ""); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		if err := poll(i, pipeline.NewSecret("second")); err != nil || asked != 2 {
			t.Errorf("after a changed token: %v, asked %d times", err, asked)
		}
		if _, err := g.Before(refusing, i, pipeline.NewSecret("second"), trace).Poll(t.Context(), ""); !errors.Is(err, pipeline.ErrCredential) {
			t.Fatal(err)
		}
		var w wakes
		w.before = g.Try
		w.Wake("prod")
		if err := poll(i, pipeline.NewSecret("second")); err != nil || asked != 3 {
			t.Errorf("after a wake: %v, asked %d times", err, asked)
		}
		asked--
		g.Forget("prod")
		if err := poll(i, first); err != nil || asked != 3 {
			t.Errorf("after it was deleted and added again: %v, asked %d times", err, asked)
		}
		closed, open := told{breaker.Closed, false}, told{breaker.Open, true}
		want := []told{closed, open, open, closed, closed, open, closed, closed, open, open, closed, closed}
		if !slices.Equal(heard, want) {
			t.Errorf("told %v, want %v", heard, want)
		}
	})
}

func TestOneLimiterForAnOrigin(t *testing.T) {
	var l limiters
	if a, b := l.Of("https://a"), l.Of("https://a"); a != b {
		t.Error("an origin has two limiters")
	}
	if a, b := l.Of("https://a"), l.Of("https://b"); a == b {
		t.Error("two origins share a limiter")
	}
}

// What was written to STATUS may be old, and who wrote it gone.
func TestStatusAsOfNow(t *testing.T) {
	now := time.Now()
	written := pipeline.Status{Instance: "prod", State: pipeline.StatePolling, Holder: "one", UpdatedAt: now, CompleteThrough: now.Add(-time.Minute)}
	on := pipeline.Entry{Integration: pipeline.Integration{Enabled: true}}
	for _, c := range []struct {
		name   string
		status pipeline.Status
		held   bool
		stored bool
		entry  pipeline.Entry
		state  pipeline.State
		holder string
	}{
		{"held", written, true, true, on, pipeline.StatePolling, "one"},
		{"holder gone", written, false, true, on, pipeline.StateUnowned, ""},
		{"from the environment, holder gone", written, false, false, pipeline.Entry{}, pipeline.StateUnowned, ""},
		{"never polled", pipeline.Status{}, false, true, on, pipeline.StateNew, ""},
		{"disabled just now", written, true, true, pipeline.Entry{}, pipeline.StateDisabled, ""},
		{"spoilt just now", written, true, true, pipeline.Entry{Err: errors.New("bad")}, pipeline.StateConfig, ""},
	} {
		got := asOf(now, c.status, c.held, c.stored, c.entry)
		if got.State != c.state || got.Holder != c.holder {
			t.Errorf("%s: %s held by %q, want %s by %q", c.name, got.State, got.Holder, c.state, c.holder)
		}
	}
	if got := asOf(now, written, true, true, on); got.LagSeconds != 60 {
		t.Errorf("lag %v, want 60", got.LagSeconds)
	}
}

// A process that goes by the name of one that was killed doesn't speak for it.
func TestStatusOfAnEarlierProcess(t *testing.T) {
	now := time.Now()
	held := map[string]locks.Lock{"held": {Holder: "one", Session: "now"}, "void": {Holder: "one", Session: "before"}}
	sessions := map[string]locks.Session{"one": {ID: "now", StartedAt: now}}
	v := overview.Overview{Replicas: locks.Replicas{Sessions: sessions, Locks: held}}
	for instance, written := range map[string]time.Duration{"held": -time.Second, "void": -time.Second, "said": time.Second} {
		v.Statuses = append(v.Statuses, pipeline.Status{Instance: instance, State: pipeline.StatePolling, Holder: "one", UpdatedAt: now.Add(written)})
	}
	got := map[string]pipeline.State{}
	for _, s := range together(v, now.Add(2*time.Second)) {
		got[s.Instance] = s.State
	}
	want := map[string]pipeline.State{"held": pipeline.StatePolling, "void": pipeline.StateUnowned, "said": pipeline.StatePolling}
	if !maps.Equal(got, want) {
		t.Errorf("states are %v, want %v", got, want)
	}
	fresh, err := json.Marshal(together(overview.Overview{Entries: map[string]pipeline.Entry{"new": {}}}, now))
	if err != nil || strings.Contains(string(fresh), "updated_at") {
		t.Errorf("nothing was written, and there is %s, %v", fresh, err)
	}
}

// What stood last in STATUS is not how things stand, where nothing can be written.
func TestStatusWhileNothingIsStored(t *testing.T) {
	now := time.Now()
	for ago, want := range map[time.Duration]pipeline.State{5 * time.Second: pipeline.StateCatchingUp, time.Minute: pipeline.StateCatchingUp, 5 * time.Minute: pipeline.StateRetrying} {
		v := overview.Overview{
			Statuses: []pipeline.Status{{Instance: "prod", State: pipeline.StateCatchingUp, Holder: "one", UpdatedAt: now.Add(-ago)}},
			Replicas: locks.Replicas{
				Sessions: map[string]locks.Session{"one": {ID: "1", TTL: 10 * time.Second, RenewedAt: now.Add(-ago)}},
				Locks:    map[string]locks.Lock{"prod": {Holder: "one", Session: "1"}},
			},
		}
		got := together(v, now)[0]
		if got.State != want || (got.LastError != "") != (want == pipeline.StateRetrying) {
			t.Errorf("renewed %v ago: %s, %q", ago, got.State, got.LastError)
		}
	}
}

// A token that was replaced in its file ends the poll with the former one.
func TestEveryWhileStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		stop := everyWhile(t.Context(), time.Second, func() { calls++ })
		time.Sleep(3500 * time.Millisecond)
		stop()
		time.Sleep(5 * time.Second)
		if calls != 3 {
			t.Errorf("called %d times, want 3", calls)
		}
	})
}

func TestIntegrationsAreAnnounced(t *testing.T) {
	good := pipeline.Entry{Integration: pipeline.Integration{Kind: kinds.Default, Enabled: true}}
	a := announced{hint: "do this", log: slog.New(slog.DiscardHandler)}
	if got := a.count(nil); got != "integrations: none; do this" {
		t.Error(got)
	}
	a.static = 1
	for want, entries := range map[string]map[string]pipeline.Entry{
		"integrations: 1 from the environment":                                                                {},
		"integrations: 1 stored in INTEGRATIONS, 1 from the environment":                                      {"a": good},
		"integrations: 3 stored in INTEGRATIONS, 1 from the environment, 1 disabled, 1 with an invalid value": {"a": good, "b": {}, "c": {Err: io.EOF}},
	} {
		if got := a.count(entries); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

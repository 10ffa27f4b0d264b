package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source/breaker"
	"github.com/witfoo/signal-client/source/okta"
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
		i := pipeline.Integration{Instance: "prod", Origin: "https://acme.okta.com", PollInterval: time.Minute}
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

func TestInWords(t *testing.T) {
	unauthorized := &okta.Error{Status: 401, Code: "E0000011", Summary: "Invalid token provided", Kind: pipeline.ErrCredential}
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("ask https://a: %w", unauthorized), "Okta refuses the API token: make a new one under Security > API > Tokens (status 401 E0000011: Invalid token provided)"},
		{&pipeline.NotBefore{At: time.Now(), Err: fmt.Errorf("breaker is open: %w", unauthorized)}, "Okta refuses the API token: make a new one"},
		{&okta.Error{Status: 403, Code: "E0000006", Kind: pipeline.ErrCredential}, "the token's owner may not read the System Log"},
		{&okta.Error{Status: 403, Summary: "Access Denied", Kind: pipeline.ErrCredential}, "something on the way to Okta forbids the request"},
		{&okta.Error{Status: 401, Summary: "Sign in", Kind: pipeline.ErrCredential}, "something on the way to Okta forbids the request"},
		{&okta.Error{Status: 429, Kind: pipeline.ErrThrottled}, "Okta's rate limit is used up"},
		{&okta.Error{Status: 404, Kind: pipeline.ErrConfig}, "there is no System Log at this address"},
		{&okta.Error{Status: 400, Summary: "Invalid filter", Kind: pipeline.ErrConfig}, "Okta refuses the request as it is configured: correct what it names, such as settings.filter; a new query begins by: signal-client cursor reopen (status 400: Invalid filter"},
		{&okta.Error{Status: 400, Summary: "The request was not valid", Kind: pipeline.ErrLink}, "Okta refuses a link that it made itself: if it still does in a minute, a new query begins where all is known to be stored; at once it does by: signal-client cursor reopen (status 400"},
		{fmt.Errorf("ask https://a: %w", &okta.Error{Status: 500, Code: "E0000009", Summary: "Your last request took too long"}), "the page takes too long: smaller ones are asked for by themselves; a lower settings.limit makes"},
		{&okta.Error{Status: 504}, "the page takes too long"},
		{&okta.Error{Status: 503}, "Okta fails; it is asked again (status 503"},
		{errors.New("body: \x1b[31mcut short\n"), `body: \x1b[31mcut short\n`},
	} {
		if got := inWords(c.err); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v:\ngot  %s\nwant %s…", c.err, got, c.want)
		}
	}
	_, err := (pipeline.Integration{TokenFile: "/nowhere/token"}).Secret(t.Context())
	if got := inWords(err); !strings.Contains(got, "the token's file can't be read") || !strings.Contains(got, "/nowhere/token") {
		t.Errorf("missing token file: %s", got)
	}
}

// A status begins when an instance is held, follows its poll, and ends with it.
func TestBoard(t *testing.T) {
	var published []pipeline.Status
	var erased []string
	b := &board{
		replica: func() string { return "one" },
		publish: func(s pipeline.Status) { published = append(published, s) },
		erase:   func(instance string) { erased = append(erased, instance) },
	}
	last := func() pipeline.Status { return published[len(published)-1] }
	trace := pipeline.Traces(b.Trace())
	at := pipeline.Position{CompleteThrough: time.Now().Add(-time.Minute), LastEvent: &pipeline.LastEvent{UUID: "u"}}

	trace.Moved("prod", pipeline.StatePolling, at, time.Now())
	if len(published) != 0 {
		t.Error("published an instance that is not held")
	}
	b.Held("prod")
	b.Carry("prod", 100)
	trace.Failed("prod", pipeline.ErrThrottled)
	trace.Budget("prod", pipeline.RateLimit{Limit: 120, Remaining: 7})
	trace.Breaker("prod", breaker.Open, false)
	trace.Moved("prod", pipeline.StateThrottled, at, time.Now())
	s := last()
	if s.Holder != "one" || s.State != pipeline.StateThrottled || s.RateLimit.Remaining != 7 || s.Breaker != breaker.Open || s.LastError == "" || s.LagSeconds < 60 {
		t.Errorf("throttled: %+v", s)
	}
	trace.Committed("prod", pipeline.Page{}, pipeline.Receipt{Stored: 3}, 0)
	trace.Committed("prod", pipeline.Page{}, pipeline.Receipt{Stored: 4}, 0)
	trace.Moved("prod", pipeline.StatePolling, at, time.Now())
	if s := last(); s.Events != 107 || s.LastError != "" || s.LastSuccess.IsZero() || s.LastEvent.UUID != "u" {
		t.Errorf("polling: %+v", s)
	}
	b.Report("prod", pipeline.StateUnowned, nil)
	if s := last(); s.State != pipeline.StateUnowned || s.Holder != "" || s.Events != 107 {
		t.Errorf("unowned: %+v", s)
	}
	b.Gone("prod")
	b.Report("prod", pipeline.StateDisabled, nil)
	if s := last(); s.State != pipeline.StateDisabled || s.Holder != "" || s.Events != 0 || s.Breaker != "" {
		t.Errorf("disabled: %+v", s)
	}
	b.Report("prod", "", nil)
	if !slices.Equal(erased, []string{"prod"}) {
		t.Errorf("erased %v", erased)
	}
}

// The next poll that a status names is yet to come: not one that is under way, or
// that was due while the last one took its time.
func TestBoardNamesNoPastPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last pipeline.Status
		b := &board{replica: func() string { return "one" }, publish: func(s pipeline.Status) { last = s }}
		trace := pipeline.Traces(b.Trace())
		b.Held("prod")
		next := time.Now().Add(time.Second)
		trace.Moved("prod", pipeline.StatePolling, pipeline.Position{}, next)
		if !last.NextPoll.Equal(next) {
			t.Errorf("planned for %s, told %s", next, last.NextPoll)
		}
		time.Sleep(3 * time.Second)
		trace.Polled("prod", pipeline.Page{}, 2*time.Second)
		if s := b.All()[0]; !s.NextPoll.IsZero() {
			t.Errorf("last poll %s, next poll %s", s.LastPoll, s.NextPoll)
		}
		trace.Moved("prod", pipeline.StatePolling, pipeline.Position{}, next.Add(time.Second))
		if !last.NextPoll.IsZero() {
			t.Errorf("last poll %s, next poll %s", last.LastPoll, last.NextPoll)
		}
	})
}

// An instance that is held and not heard of for long after its poll was due is
// stalled; what ended by itself keeps its state until it is held again.
func TestBoardSaysWhoIsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{replica: func() string { return "one" }, publish: func(pipeline.Status) {}, erase: func(string) {}, silence: 5 * time.Minute}
		trace := pipeline.Traces(b.Trace())
		is := func(state string, held bool) {
			t.Helper()
			if s, h := b.State("prod"); s != state || h != held {
				t.Errorf("%q, held %v; want %q, %v", s, h, state, held)
			}
		}
		is("", false)
		b.Held("prod")
		is("new", true)
		time.Sleep(6 * time.Minute)
		is("stalled", true)
		trace.Moved("prod", pipeline.StateRefused, pipeline.Position{}, time.Now().Add(15*time.Minute))
		time.Sleep(19 * time.Minute)
		is("credential_refused", true)
		time.Sleep(2 * time.Minute)
		is("stalled", true)
		trace.Requested("prod", "200", time.Second)
		is("credential_refused", true)
		b.Report("prod", pipeline.StateConfig, io.EOF)
		b.Gone("prod")
		is("configuration_error", false)
		b.Held("prod")
		is("new", true)
		b.Gone("prod")
		is("", false)
	})
}

// An instance whose next poll has to wait for the org's budget is throttled, and says
// until when; what more is known of it is not written over.
func TestBoardSaysWhoWaits(t *testing.T) {
	until := time.Now().Add(time.Hour)
	for state, want := range map[pipeline.State]pipeline.State{
		pipeline.StateNew:        pipeline.StateThrottled,
		pipeline.StatePolling:    pipeline.StateThrottled,
		pipeline.StateThrottled:  pipeline.StateThrottled,
		pipeline.StateCatchingUp: pipeline.StateCatchingUp,
		pipeline.StateRetrying:   pipeline.StateRetrying,
		pipeline.StateRefused:    pipeline.StateRefused,
	} {
		var last pipeline.Status
		b := &board{replica: func() string { return "one" }, publish: func(s pipeline.Status) { last = s }}
		trace := pipeline.Traces(b.Trace())
		b.Held("prod")
		trace.Moved("prod", state, pipeline.Position{}, time.Time{})
		trace.Waits("prod", until)
		if told := last.NextPoll.Equal(until); last.State != want || told != (want == pipeline.StateThrottled) {
			t.Errorf("%s that waits is %s, next poll %s", state, last.State, last.NextPoll)
		}
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
	held := map[string]jets.Lock{"held": {Holder: "one", Session: "now"}, "void": {Holder: "one", Session: "before"}}
	sessions := map[string]jets.Session{"one": {ID: "now", StartedAt: now}}
	v := jets.Overview{Replicas: jets.Replicas{Sessions: sessions, Locks: held}}
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
	fresh, err := json.Marshal(together(jets.Overview{Entries: map[string]pipeline.Entry{"new": {}}}, now))
	if err != nil || strings.Contains(string(fresh), "updated_at") {
		t.Errorf("nothing was written, and there is %s, %v", fresh, err)
	}
}

// What stood last in STATUS is not how things stand, where nothing can be written.
func TestStatusWhileNothingIsStored(t *testing.T) {
	now := time.Now()
	for ago, want := range map[time.Duration]pipeline.State{5 * time.Second: pipeline.StateCatchingUp, time.Minute: pipeline.StateCatchingUp, 5 * time.Minute: pipeline.StateRetrying} {
		v := jets.Overview{
			Statuses: []pipeline.Status{{Instance: "prod", State: pipeline.StateCatchingUp, Holder: "one", UpdatedAt: now.Add(-ago)}},
			Replicas: jets.Replicas{
				Sessions: map[string]jets.Session{"one": {ID: "1", TTL: 10 * time.Second, RenewedAt: now.Add(-ago)}},
				Locks:    map[string]jets.Lock{"prod": {Holder: "one", Session: "1"}},
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
	good := pipeline.Entry{Integration: pipeline.Integration{Enabled: true}}
	a := announced{hint: "do this", log: slog.New(slog.DiscardHandler)}
	if got := a.count(nil); got != "integrations: none; do this" {
		t.Error(got)
	}
	a.static = 1
	for want, entries := range map[string]map[string]pipeline.Entry{
		"integrations: 1 from the environment":                                                             {},
		"integrations: 1 stored in INTEGRATIONS, 1 from the environment":                                   {"a": good},
		"integrations: 3 stored in INTEGRATIONS, 1 from the environment, 1 disabled, 1 with a wrong value": {"a": good, "b": {}, "c": {Err: io.EOF}},
	} {
		if got := a.count(entries); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

package telemetry

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/breaker"
)

var prod = pipeline.Integration{Kind: kinds.Default, Instance: "prod"}

// A status begins when an instance is held, follows its poll, and ends when it is
// released.
func TestBoard(t *testing.T) {
	var published []pipeline.Status
	var erased []string
	b := &StatusBoard{
		Replica: func() string { return "one" },
		Publish: func(s pipeline.Status) { published = append(published, s) },
		Erase:   func(_ *pipeline.Kind, instance string) { erased = append(erased, instance) },
	}
	last := func() pipeline.Status { return published[len(published)-1] }
	trace := pipeline.Traces(b.Trace())
	at := pipeline.Position{CompleteThrough: time.Now().Add(-time.Minute), LastEvent: &pipeline.LastEvent{UUID: "u"}}

	trace.Moved("prod", pipeline.StatePolling, at, time.Now())
	if len(published) != 0 {
		t.Error("published an instance that is not held")
	}
	b.Held(kinds.Default, "prod")
	b.Carry(pipeline.Status{Instance: "prod", Events: 100})
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
	b.Report(prod, pipeline.StateUnowned, nil)
	if s := last(); s.State != pipeline.StateUnowned || s.Holder != "" || s.Events != 107 {
		t.Errorf("unowned: %+v", s)
	}
	b.Gone("prod")
	b.Report(prod, pipeline.StateDisabled, nil)
	if s := last(); s.State != pipeline.StateDisabled || s.Holder != "" || s.Events != 0 || s.Breaker != "" {
		t.Errorf("disabled: %+v", s)
	}
	b.Report(prod, "", nil)
	if !slices.Equal(erased, []string{"prod"}) {
		t.Errorf("erased %v", erased)
	}
}

// The next poll in a status is in the future: not one that is running, or that was due
// while the last one was running.
func TestBoardNamesNoPastPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last pipeline.Status
		b := &StatusBoard{Replica: func() string { return "one" }, Publish: func(s pipeline.Status) { last = s }}
		trace := pipeline.Traces(b.Trace())
		b.Held(kinds.Default, "prod")
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

// A status says since when its state has lasted: a new holder that finds the same state
// keeps that time, and each later change sets it anew.
func TestBoardSaysSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last pipeline.Status
		b := &StatusBoard{Replica: func() string { return "two" }, Publish: func(s pipeline.Status) { last = s }}
		trace := pipeline.Traces(b.Trace())
		enters := func(state pipeline.State, since time.Time) {
			t.Helper()
			time.Sleep(time.Minute)
			trace.Moved("prod", state, pipeline.Position{}, time.Now())
			if last.State != state || !last.StateSince.Equal(since) {
				t.Errorf("%s since %s, want %s since %s", last.State, last.StateSince, state, since)
			}
		}
		before := time.Now().Add(-time.Hour)
		b.Held(kinds.Default, "prod")
		b.Carry(pipeline.Status{Instance: "prod", State: pipeline.StatePolling, StateSince: before})
		enters(pipeline.StatePolling, before)
		enters(pipeline.StatePolling, before)
		now := time.Now()
		enters(pipeline.StateRetrying, now.Add(time.Minute))
		enters(pipeline.StatePolling, now.Add(2*time.Minute))
		b.Gone("prod")
		b.Held(kinds.Default, "prod")
		b.Carry(pipeline.Status{Instance: "prod", State: pipeline.StateRetrying, StateSince: before})
		enters(pipeline.StatePolling, now.Add(3*time.Minute))
		enters(pipeline.StateRetrying, now.Add(4*time.Minute))
	})
}

// An instance that is held, but whose poll is long overdue, is stalled; one whose poll
// has ended keeps its state until it is held again.
func TestBoardSaysWhoIsStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &StatusBoard{Replica: func() string { return "one" }, Publish: func(pipeline.Status) {}, Erase: func(*pipeline.Kind, string) {}, Silence: 5 * time.Minute}
		trace := pipeline.Traces(b.Trace())
		is := func(state string, held bool) {
			t.Helper()
			if s, h := b.State("prod"); s != state || h != held {
				t.Errorf("%q, held %v; want %q, %v", s, h, state, held)
			}
		}
		is("", false)
		b.Held(kinds.Default, "prod")
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
		b.Report(prod, pipeline.StateConfig, io.EOF)
		b.Gone("prod")
		is("configuration_error", false)
		b.Held(kinds.Default, "prod")
		is("new", true)
		b.Gone("prod")
		is("", false)
	})
}

// An instance whose next poll has to wait for the org's budget is throttled, and its
// status says until when; the rest of the status stays.
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
		b := &StatusBoard{Replica: func() string { return "one" }, Publish: func(s pipeline.Status) { last = s }}
		trace := pipeline.Traces(b.Trace())
		b.Held(kinds.Default, "prod")
		trace.Moved("prod", state, pipeline.Position{}, time.Time{})
		trace.Waits("prod", until)
		if told := last.NextPoll.Equal(until); last.State != want || told != (want == pipeline.StateThrottled) {
			t.Errorf("%s that waits is %s, next poll %s", state, last.State, last.NextPoll)
		}
	}
}

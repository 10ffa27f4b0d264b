package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/source/breaker"
	"github.com/witfoo/signal-client/source/okta"
)

// listener hears advisories, in a bubble.
type listener struct {
	t    *testing.T
	sub  *nats.Subscription
	told *Advisories
	*pipeline.Trace
}

// listen runs advisories on a server of their own.
func listen(t *testing.T, s *jetstest.Server, silentAfter time.Duration) *listener {
	t.Helper()
	conn, err := jets.Connect(t.Context(), "", s.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	a := NewAdvisories(conn, silentAfter, slog.New(slog.DiscardHandler))
	a.Replica = func() string { return "one" }
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	nc := s.Connect(t)
	sub, err := nc.SubscribeSync(jets.SubjectAdvisory("*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return &listener{t: t, sub: sub, told: a, Trace: pipeline.Traces(a.Trace())}
}

// next is the next advisory.
func (l *listener) next(kind, severity string, count int) advisory {
	l.t.Helper()
	m, err := l.sub.NextMsg(time.Minute)
	if err != nil {
		l.t.Fatalf("%s: %v", kind, err)
	}
	if err := schemas.Validate("advisory", m.Data); err != nil {
		l.t.Errorf("%v: %s", err, m.Data)
	}
	var a advisory
	if err := json.Unmarshal(m.Data, &a); err != nil {
		l.t.Fatal(err)
	}
	if a.Kind != kind || a.Severity != severity || a.Count != count || a.Replica != "one" || m.Subject != jets.SubjectAdvisory(kind, a.Instance) {
		l.t.Fatalf("got %s on %s, want %d %s of severity %s", m.Data, m.Subject, count, kind, severity)
	}
	if len(a.Message) <= len(kind+" "+a.Instance) || strings.Contains(a.Message, "nil") {
		l.t.Errorf("%s says no sentence: %q", kind, a.Message)
	}
	return a
}

// silence reports what is told within a minute though nothing should be.
func (l *listener) silence() {
	l.t.Helper()
	if m, err := l.sub.NextMsg(time.Minute); err == nil {
		l.t.Errorf("told %s", m.Data)
	}
}

func TestAdvisories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		l := listen(t, s, time.Hour)

		// Of a storm the first is told at once, and the rest as one.
		l.DeadLetter("acme", pipeline.FlawNoUUID)
		first := l.next(adviseDeadLetter, SeverityWarning, 1)
		if waited := time.Since(first.At); waited > time.Second {
			t.Errorf("told after %v", waited)
		}
		for range 998 {
			l.DeadLetter("acme", pipeline.FlawNoUUID)
		}
		l.DeadLetter("acme", pipeline.FlawTooLarge)
		l.DeadLetter("globex", pipeline.FlawTooLarge)
		if a := l.next(adviseDeadLetter, SeverityWarning, 1); a.Instance != "globex" {
			t.Errorf("got %+v", a)
		}
		rest := l.next(adviseDeadLetter, SeverityWarning, 999)
		if reasons := rest.Fields["reasons"].(map[string]any); reasons["no_uuid"] != 998.0 || reasons["too_large"] != 1.0 {
			t.Errorf("got %v", rest.Fields)
		}
		if waited := time.Since(first.At); waited < advisoryPause {
			t.Errorf("told after %v", waited)
		}
		l.silence()

		l.Lost("acme")
		l.next(adviseDataLost, SeverityCritical, 1)
		l.told.Gap("acme", 7, time.Now().Add(-time.Hour), time.Now())
		if a := l.next(adviseGapFound, SeverityCritical, 1); a.Fields["missing"] != 7.0 {
			t.Errorf("got %+v", a)
		}
		l.PassedOver("acme", pipeline.Gap{From: time.Now().Add(-100 * 24 * time.Hour), Until: time.Now().Add(-okta.Retention)})
		if a := l.next(advisePassedOver, SeverityCritical, 1); a.Fields["from"] == nil || !strings.Contains(a.Message, "for good") {
			t.Errorf("got %+v", a)
		}
		l.told.Took("acme", locks.Lock{Holder: "two"}, true)
		if a := l.next(adviseTakeover, SeverityWarning, 1); a.Fields["from"] != "two" || a.Fields["expired"] != true {
			t.Errorf("got %+v", a)
		}
		l.told.Took("acme", locks.Lock{Holder: "two"}, false)
		l.next(adviseTakeover, SeverityInfo, 1)
		l.Failed("acme", pipeline.ErrCursor)
		l.next(adviseCursorRefused, SeverityWarning, 1)
		l.Failed("acme", errors.New("a passing failure"))
		l.silence()
	})
}

// The opening of a breaker is published once, with the error that caused it, however
// often a probe fails; so is its closing. A breaker that was always closed publishes
// nothing.
func TestAdvisoriesOfBreakers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t, jetstest.Run(t), 0)
		refused := &pipeline.NotBefore{At: time.Now(), Err: okta.Source.Mark(pipeline.ErrCredential)}
		l.Breaker("acme", breaker.Closed, false)
		l.silence()
		l.Breaker("acme", breaker.Open, true)
		l.Failed("acme", refused)
		if a := l.next(adviseBreakerOpened, SeverityCritical, 1); a.Fields["credential_refused"] != true || !strings.Contains(a.Message, "make a new one") {
			t.Errorf("got %+v", a)
		}
		for range 3 {
			l.Breaker("acme", breaker.HalfOpen, true)
			l.Breaker("acme", breaker.Open, true)
			l.Failed("acme", refused)
		}
		l.Breaker("acme", breaker.Open, true) // the runner was put together anew
		l.silence()
		l.Breaker("acme", breaker.HalfOpen, true)
		l.Breaker("acme", breaker.Closed, false)
		l.next(adviseBreakerClosed, SeverityInfo, 1)
		l.Breaker("acme", breaker.Open, false)
		l.Failed("acme", errors.New("status 503"))
		if a := l.next(adviseBreakerOpened, SeverityWarning, 1); a.Fields["credential_refused"] != false || !strings.Contains(a.Message, "503") {
			t.Errorf("got %+v", a)
		}
		l.told.Gone("acme")
		l.Breaker("acme", breaker.Closed, false) // polled here again, later
		l.silence()
	})
}

// An org is silent when it has answered without events for long. The beginning and the
// end of that are published once each.
func TestAdvisoriesOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		l := listen(t, s, time.Hour)
		never := listen(t, s, 0)
		at := pipeline.Position{PublishedMax: time.Now()}
		poll := func(state pipeline.State) {
			l.Moved("acme", state, at, time.Time{})
			never.Moved("acme", state, at, time.Time{})
		}
		poll(pipeline.StatePolling)
		time.Sleep(2 * time.Hour)
		poll(pipeline.StateRetrying)   // it can't be asked: that is another matter
		poll(pipeline.StateCatchingUp) // it is not known yet what it brings
		l.silence()
		poll(pipeline.StatePolling)
		if a := l.next(adviseSilent, SeverityWarning, 1); a.Fields["silent_seconds"].(float64) < 7200 {
			t.Errorf("got %+v", a)
		}
		poll(pipeline.StatePolling)
		l.silence()
		at.PublishedMax = time.Now()
		poll(pipeline.StatePolling)
		l.next(adviseSilentOver, SeverityInfo, 1)
		poll(pipeline.StatePolling)
		l.silence()
	})
}

// Advisories about what happens while NATS is away are published when it is back; the
// poll never waits for them.
func TestAdvisoriesWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		l := listen(t, s, 0)
		s.Stop()
		synctest.Wait()
		began := time.Now()
		for range 10 {
			l.Lost("acme")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(5 * time.Second)
		s.Start(t)
		l.next(adviseDataLost, SeverityCritical, 10)
		l.silence()
	})
}

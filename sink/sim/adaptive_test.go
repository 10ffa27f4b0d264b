package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/breaker"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// How often an org is asked: the interval is a ceiling on how old news gets, never
// a floor on catching up.

// beat is a runner over the whole stage, and the org that it polls.
type beat struct {
	*testing.T
	org      *oktatest.Org
	conn     *jets.Conn
	interval time.Duration
	backlog  pipeline.Backlog // nil: none
	client   *okta.Client

	mu     sync.Mutex
	states []pipeline.State // one after another, as they were told
}

// inBeat runs a poller of an org that has n events of the past hour, in pages of
// fifty, for the length of a test.
func inBeat(t *testing.T, interval time.Duration, c oktatest.Config, n int, test func(*beat)) {
	inBeatWith(t, interval, c, n, nil, test)
}

// inBeatWith has the poller bring something of the past as well.
func inBeatWith(t *testing.T, interval time.Duration, c oktatest.Config, n int, backlog func(*beat) pipeline.Backlog, test func(*beat)) {
	synctest.Test(t, func(t *testing.T) {
		if c.Lag == (oktatest.Lag{}) {
			c.Lag = oktatest.Lag{Typical: -1, Late: -1}
		}
		b := &beat{T: t, org: oktatest.New(c), conn: sinktest.Dial(t, jetstest.Run(t)), interval: interval}
		b.org.Generate(n, time.Hour)
		store, err := jets.Open(t.Context(), b.conn, jets.Config{Kinds: sinktest.Kinds})
		if err != nil {
			t.Fatal(err)
		}
		const limit = 50
		b.client = &okta.Client{Instance: "prod", Origin: simOrigin, Credential: pipeline.NewSecret("00secret"), Limit: limit,
			HTTP: &http.Client{Transport: b.org.Transport()}}
		q := signals.Query{Origin: simOrigin, Hash: okta.Query("", limit), Since: pipeline.Since{Age: 24 * time.Hour},
			Start: func(since time.Time) pipeline.Link { return okta.Start("", limit, since) }}
		done := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		if backlog != nil {
			b.backlog = backlog(b)
		}
		go func() {
			defer close(done)
			_ = (&pipeline.Runner{Kind: "okta", Instance: "prod", Interval: interval, Backlog: b.backlog,
				Trace:  &pipeline.Trace{Moved: b.moved},
				Source: breaker.Wrap("prod", b.client, nil), Sink: signals.New(store, "prod", q, nil, nil)}).Run(ctx)
		}()
		defer func() { stop(); <-done }()
		test(b)
	})
}

func (b *beat) moved(_ string, state pipeline.State, _ pipeline.Position, _ time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.states); n == 0 || b.states[n-1] != state {
		b.states = append(b.states, state)
	}
}

// wantAll checks that each event of the org is stored once, in order, and every
// watermark true.
func (b *beat) wantAll() {
	b.Helper()
	a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(sinktest.Kind.Name, "prod"), Positions: jets.SubjectPosition(sinktest.Kind.Name, "prod")}
	for _, e := range b.org.Events() {
		a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
	}
	if err := a.Run(b.Context(), b.conn.JS); err != nil {
		b.Error(err)
	}
}

// asked are the requests that the org has seen from a time on.
func (b *beat) asked(from time.Time) []oktatest.Request {
	synctest.Wait()
	var list []oktatest.Request
	for _, r := range b.org.Requests() {
		if !r.Time.Before(from) {
			list = append(list, r)
		}
	}
	return list
}

// delays are how long after they could be seen events were stored.
func (b *beat) delays() []time.Duration {
	visible := map[string]time.Time{}
	for _, e := range b.org.Events() {
		visible[e.UUID] = e.Persisted
	}
	st := &sinktest.Fixture{T: b.T, Store: jets.Attach(b.conn, sinktest.Kind)}
	var list []time.Duration
	for m := range st.Messages(jets.StreamSignals) {
		if m.Subject == jets.SubjectEvents(sinktest.Kind.Name, "prod") {
			list = append(list, m.Time.Sub(visible[m.Header.Get("ce-id")]))
		}
	}
	if len(list) != len(visible) {
		b.Errorf("%d of %d events are stored", len(list), len(visible))
	}
	return list
}

// A quiet org is asked once an interval, to the second, however long it has been quiet.
func TestQuietOrgIsAskedOnceAnInterval(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 30 * time.Second, 5 * time.Minute} {
		t.Run(fmt.Sprint(interval), func(t *testing.T) {
			inBeat(t, interval, oktatest.Config{Rate: oktatest.Rate{PerMinute: 600}}, 3, func(b *beat) {
				time.Sleep(2 * interval)
				if n := len(b.asked(time.Time{})); n > 5 {
					b.Errorf("asked %d times within two intervals of its start", n)
				}
				from := b.org.Now()
				time.Sleep(300 * interval)
				asked := b.asked(from)
				if n := len(asked); n < 299 || n > 301 {
					b.Errorf("asked %d times in 300 intervals", n)
				}
				for i := range len(asked) - 1 {
					if gap := asked[i+1].Time.Sub(asked[i].Time); gap < interval-time.Millisecond || gap > interval+time.Millisecond {
						b.Fatalf("asked %v after the time before", gap)
					}
				}
			})
		})
	}
}

// A few events at a time don't change that: a page that is not full is the head of the
// log.
func TestOrgWithNewsIsAskedOnceAnInterval(t *testing.T) {
	inBeat(t, time.Minute, oktatest.Config{}, 3, func(b *beat) {
		time.Sleep(2 * time.Minute)
		from := b.org.Now()
		b.org.GenerateFrom(from, 2000, 100*time.Minute)
		time.Sleep(100 * time.Minute)
		if n := len(b.asked(from)); n < 99 || n > 101 {
			b.Errorf("asked %d times in 100 intervals", n)
		}
		time.Sleep(2 * time.Minute)
		for _, d := range b.delays()[3:] {
			if d > time.Minute+time.Second {
				b.Fatalf("an event was stored %v after it could be seen, at an interval of a minute", d)
			}
		}
	})
}

// A backlog is fetched at once, page after page, as fast as the budget allows: at the
// start, and whenever a page is full.
func TestBusyOrgIsDrainedAtOnce(t *testing.T) {
	const pages = 20
	inBeat(t, time.Hour, oktatest.Config{Rate: oktatest.Rate{PerMinute: 600}}, pages*50, func(b *beat) {
		drained := func(from time.Time, within time.Duration) {
			b.Helper()
			time.Sleep(within)
			events := 0
			asked := b.asked(from)
			for i, r := range asked {
				events += r.Events
				if i > 0 && r.Time.Sub(asked[i-1].Time) > 2*time.Second {
					b.Errorf("request %d came %v after the one before", i, r.Time.Sub(asked[i-1].Time))
				}
			}
			if events != pages*50 {
				b.Errorf("%d of %d events were served", events, pages*50)
			}
		}
		drained(time.Time{}, 20*time.Second)
		time.Sleep(2 * time.Hour)
		b.org.Add(make([]oktatest.Event, pages*50)...)
		from := b.org.Now()
		for len(b.asked(from)) == 0 {
			time.Sleep(time.Second)
		}
		if waited := b.org.Now().Sub(from); waited > time.Hour {
			b.Errorf("asked after %v, at an interval of an hour", waited)
		}
		drained(from, 20*time.Second)
		time.Sleep(time.Hour) // and then it is quiet again
		b.delays()
		from = b.org.Now()
		time.Sleep(10 * time.Hour)
		if n := len(b.asked(from)); n != 10 {
			b.Errorf("asked %d times in 10 intervals", n)
		}
	})
}

// Bursts and quiet hours in turn: no event is stored later than an interval, and the time
// to fetch the pages before it, after it became visible.
func TestFreshness(t *testing.T) {
	const interval = time.Minute
	inBeat(t, interval, oktatest.Config{Rate: oktatest.Rate{PerMinute: 600}}, 0, func(b *beat) {
		rng := rand.New(rand.NewPCG(3, 3))
		time.Sleep(2 * interval)
		for range 40 {
			time.Sleep(time.Duration(rng.Int64N(int64(10 * interval))))
			b.org.Add(make([]oktatest.Event, 1+rng.IntN(rng.IntN(400)+1))...) // up to 8 pages
		}
		time.Sleep(2 * interval)
		for _, d := range b.delays() {
			if d > interval+5*time.Second {
				b.Fatalf("an event was stored %v after it could be seen", d)
			}
		}
	})
}

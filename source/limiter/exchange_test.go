package limiter

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// slate is an Exchange in memory that can be out of order.
type slate struct {
	mu            sync.Mutex
	stands        pipeline.Budget
	reads, writes int
	fault         func(context.Context) error // nil: none
}

func (s *slate) Read(ctx context.Context, _ string) (pipeline.Budget, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.stands, s.fails(ctx)
}

func (s *slate) Write(ctx context.Context, _ string, next func(pipeline.Budget) pipeline.Budget) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if err := s.fails(ctx); err != nil {
		return err
	}
	s.stands = next(s.stands)
	return nil
}

func (s *slate) fails(ctx context.Context) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(ctx)
}

// For an org that is polled, the budget is read before each poll and not written.
func TestExchangeOfAnIdleOrg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slate)
		l := Limiter{Exchange: s}
		o := newOrg(120, rand.New(rand.NewPCG(1, 1)))
		for range 100 {
			waits(t, &l, 0.5)
			o.ask(&l, Request{Share: 0.5})
			time.Sleep(15 * time.Second)
		}
		if s.reads != 100 || s.writes != 0 {
			t.Errorf("%d reads and %d writes", s.reads, s.writes)
		}
	})
}

// For a busy org, the budget is exchanged about once a second, however many requests
// there are.
func TestExchangeOfABusyOrg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slate)
		l := Limiter{Exchange: s, Replica: "a"}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		rng := rand.New(rand.NewPCG(1, 1))
		o := newOrg(3000, rng)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { o.drain(ctx, &l, 0.5, rand.New(rand.NewPCG(2, 2)), 80*time.Millisecond) })
		}
		wg.Wait()
		if s.reads > 20 || s.writes < 500 || s.writes > 600 {
			t.Errorf("%d reads and %d writes in 600 s", s.reads, s.writes)
		}
		if b := s.stands; b.Limit != 3000 || b.Replica != "a" || time.Since(b.Askers["a"]) > time.Minute {
			t.Errorf("told is %+v", b)
		}
	})
}

// A hold is published before it is waited for, however recent the last exchange is.
func TestExchangeTellsHoldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slate)
		l := Limiter{Exchange: s}
		waits(t, &l, 0.5)
		l.Observe(Request{Share: 0.5}, http.StatusTooManyRequests, headers(120, 0, time.Now().Add(20*time.Second), time.Now()))
		go func() { _ = l.Wait(t.Context(), Request{Share: 0.5}) }()
		synctest.Wait()
		if left := time.Until(s.stands.HoldUntil); left < 20*time.Second || s.writes != 1 || !s.stands.Limited {
			t.Errorf("told is %+v", s.stands)
		}
		time.Sleep(time.Minute)
		var other Limiter
		other.Exchange = s
		if got := waits(t, &other, 0.5); got != 0 {
			t.Errorf("another waits %s after the hold", got)
		}
	})
}

// Requests that were sent at once before the org's first answer are published after it.
func TestExchangeTellsOfABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slate)
		l := Limiter{Exchange: s}
		for range unknownLimit {
			waits(t, &l, 0.5)
		}
		end := time.Now().Add(30 * time.Second)
		for i := range unknownLimit {
			l.Observe(Request{Share: 0.5}, http.StatusOK, headers(120, 119-i, end, time.Now()))
		}
		if waits(t, &l, 0.5); s.writes != 1 || s.stands.Remaining != 115 {
			t.Errorf("told %d times: %+v", s.writes, s.stands)
		}
	})
}

// An exchange that fails, or hangs, hardly delays a request, and then none for
// a while.
func TestExchangeThatFails(t *testing.T) {
	for name, fault := range map[string]func(context.Context) error{
		"fails": func(context.Context) error { return errors.New("no stream") },
		"hangs": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slate{fault: fault}
				l := Limiter{Exchange: s}
				began := time.Now()
				for i := range 600 {
					if got := waits(t, &l, 0.5); got > exchangeTime {
						t.Fatalf("request %d waits %s", i, got)
					}
					l.Observe(Request{Share: 0.5}, http.StatusOK, headers(1200, 1200-i%10, began.Add(time.Duration(1+i/60)*time.Minute), time.Now()))
					time.Sleep(time.Second)
				}
				if tries := s.reads + s.writes; tries < 4 || tries > 20 {
					t.Errorf("%d tries in ten minutes", tries)
				}
			})
		})
	}
}

// Many waiting requests make one exchange, and its result binds them all.
func TestExchangeIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slate{
			stands: pipeline.Budget{Limit: 120, Remaining: 60, Reset: 1e9, WindowEnds: time.Now().Add(30 * time.Second)},
			fault:  func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil },
		}
		l := Limiter{Exchange: s}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if l.Wait(ctx, Request{Share: 0.5}) == nil {
					t.Error("a request goes though the share is used up")
				}
			})
		}
		wg.Wait()
		if s.reads != 1 {
			t.Errorf("%d reads", s.reads)
		}
	})
}

package limiter

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// round is a request that went.
type round struct {
	who string
	at  time.Duration // since the bubble's start
}

// rounds are the requests to an org that several share.
type rounds struct {
	org  *org
	mu   sync.Mutex
	gone []round
}

// asker sends requests for who, as a Client does: it drains until a page shows that
// nothing is waiting, unless every page shows more.
type asker struct {
	Request
	limiter *Limiter
	rounds  *rounds
	who     string
	more    bool
}

func (r *rounds) asker(l *Limiter, who string, more bool) *asker {
	return &asker{Request{Share: 0.5, Rank: Drain}, l, r, who, more}
}

func (a *asker) ask(ctx context.Context) error {
	if err := a.limiter.Wait(ctx, a.Request); err != nil {
		return err
	}
	r := a.rounds
	r.mu.Lock()
	r.gone = append(r.gone, round{a.who, time.Since(r.org.start)})
	r.mu.Unlock()
	status, h := r.org.take(true)
	time.Sleep(40 * time.Millisecond)
	a.limiter.Observe(Request{Share: 0.5}, status, h)
	if a.Rank == Drain && !a.more {
		a.Rank = Head
	}
	return nil
}

// again sends one request after another, with a rest between, until ctx ends.
func (a *asker) again(ctx context.Context, rest time.Duration) {
	for ctx.Err() == nil {
		_ = a.ask(ctx)
		_ = pipeline.Sleep(ctx, rest)
	}
}

// since is what went after the first n.
func (r *rounds) since(n int) []round {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gone[n:])
}

// longest is the longest time between two of one's requests, from a moment on.
func (r *rounds) longest(who string, from time.Duration) (longest time.Duration) {
	before := from
	for _, g := range r.gone {
		if g.who == who && g.at > from {
			longest, before = max(longest, g.at-before), g.at
		}
	}
	return longest
}

// Six instances of one org, which want more than its budget holds, take turns: at 30
// requests a minute each has one in 12 s, and a window's end between.
func TestInstancesGoInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rounds{org: newOrg(60, rand.New(rand.NewPCG(1, 1)))}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var l Limiter
		var wg sync.WaitGroup
		names := []string{"a", "b", "c", "d", "e", "f"}
		for _, name := range names {
			wg.Go(func() { r.asker(&l, name, false).again(ctx, time.Second) })
		}
		wg.Wait()
		gone := r.gone[2*len(names):] // the first ones go as soon as they come
		for i := range gone[len(names):] {
			if gone[i].who != gone[i+len(names)].who {
				t.Fatalf("after %s went %+v", gone[i].at, gone[i:i+len(names)+1])
			}
		}
		for _, name := range names {
			if got := r.longest(name, gone[0].at); got > 15*time.Second {
				t.Errorf("%s paused for %s", name, got)
			}
		}
		if r.org.refused > 0 || len(r.gone) < 285 {
			t.Errorf("%d requests in ten minutes, %d refused", len(r.gone), r.org.refused)
		}
	})
}

// A request at the head of its log goes before all that drain, as soon as any may go;
// requests for the past come after these, and do come.
func TestQuietGoesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rounds{org: newOrg(60, rand.New(rand.NewPCG(2, 2)))}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var l Limiter
		var wg sync.WaitGroup
		quiet := r.asker(&l, "quiet", false)
		if err := quiet.ask(ctx); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"drain 1", "drain 2", "drain 3"} {
			wg.Go(func() { r.asker(&l, name, true).again(ctx, 0) })
		}
		later := r.asker(&l, "past", false)
		later.Rank = Past
		wg.Go(func() { later.again(ctx, 0) })
		for ctx.Err() == nil {
			_ = pipeline.Sleep(ctx, 10*time.Second+1237*time.Microsecond)
			before := len(r.since(0))
			err := quiet.ask(ctx)
			if gone := r.since(before); err == nil && gone[0].who != "quiet" {
				t.Errorf("before the quiet one went %+v", gone)
			}
		}
		wg.Wait()
		counts := map[string]int{}
		for _, g := range r.gone {
			counts[g.who]++
		}
		drains := []int{counts["drain 1"], counts["drain 2"], counts["drain 3"]}
		if slices.Max(drains)-slices.Min(drains) > 2 || counts["past"] < len(r.gone)/15 || counts["past"] > len(r.gone)/8 {
			t.Errorf("of %d requests: %v", len(r.gone), counts)
		}
		if r.org.refused > 0 || len(r.gone) < 285 {
			t.Errorf("%d requests in ten minutes, %d refused", len(r.gone), r.org.refused)
		}
	})
}

// After eight requests have passed those of a lower rank, one of these goes; within a
// rank nobody overtakes.
func TestLineBounds(t *testing.T) {
	for _, test := range []struct{ waits, want string }{
		{"hhh", "abcabcabcabc"},
		{"hd", "aaaaaaaabaaaaaaaab"},
		{"dp", "aaaaaaaabaaaaaaaab"},
		{"hp", "aaaaaaaabaaaaaaaab"},
		{"hdp", "aaaaaaaabaaaaaaaacaaaaaaaab"},
		{"pdh", "ccccccccbccccccccaccccccccb"},
		{"hhdd", "ababababcababababdababababc"},
	} {
		var l line
		name := map[*waiter]byte{}
		for i, r := range test.waits {
			w := &waiter{Request: Request{Rank: Rank(strings.IndexRune("hdp", r))}}
			name[w] = 'a' + byte(i)
			l.enter(w)
		}
		var got []byte
		for range len(test.want) {
			w := l.order()[0]
			got = append(got, name[w])
			l.served(w)
			l.enter(w)
		}
		if string(got) != test.want {
			t.Errorf("%s: went %s, want %s", test.waits, got, test.want)
		}
	}
}

// shown is a Limiter that has just seen 45 of 60 requests left, and 30 s.
func shown(t *testing.T) *Limiter {
	var l Limiter
	waits(t, &l, 1)
	l.Observe(Request{Share: 0.5}, http.StatusOK, headers(60, 45, time.Now().Add(30*time.Second), time.Now()))
	return &l
}

// A request that is cancelled leaves the line, wherever it is, and those behind it go
// when they would have gone without it.
func TestCancelledHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := shown(t)
		began := time.Now()
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("shut down")
		var wg sync.WaitGroup
		for _, rank := range []Rank{Head, Head, Drain} {
			wg.Go(func() {
				if err := l.Wait(ctx, Request{Share: 0.5, Rank: rank}); !errors.Is(err, why) {
					t.Errorf("wait ended with %v", err)
				}
			})
		}
		synctest.Wait() // they are in the line
		wg.Go(func() {
			if err := l.Wait(t.Context(), Request{Share: 0.5, Rank: Drain}); err != nil {
				t.Error(err)
			}
			// 15 may go in 30 s.
			if took := time.Since(began); took < 1800*time.Millisecond || took > 1900*time.Millisecond {
				t.Errorf("the one behind waits %s", took)
			}
		})
		time.Sleep(time.Second)
		cancel(why)
		wg.Wait()
		if left := l.line.order(); len(left) > 0 || l.inFlight != 1 {
			t.Errorf("%d are in the line, %d requests in flight", len(left), l.inFlight)
		}
	})
}

// A request whose share of the window is used up blocks none with a larger share, and is
// the first in the next window.
func TestUsedUpShareHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := shown(t)
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.Wait(t.Context(), Request{Share: 0.2}); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != 30*time.Second+slack {
				t.Errorf("the small share waits %s", took)
			}
			l.Observe(Request{Share: 0.5}, http.StatusOK, headers(60, 59, began.Add(90*time.Second), time.Now()))
		})
		synctest.Wait()
		sent := 0
		for ; time.Since(began) < 28*time.Second; sent++ {
			if got := waits(t, l, 0.5); got > 2*time.Second {
				t.Errorf("the larger share waits %s", got)
			}
			l.Observe(Request{Share: 0.5}, http.StatusOK, headers(60, 44-sent, began.Add(30*time.Second), time.Now()))
		}
		if sent < 14 {
			t.Errorf("%d requests of the larger share", sent)
		}
		for time.Since(began) <= 30*time.Second+slack {
			waits(t, l, 0.5)
			l.Failed()
		}
		wg.Wait()
	})
}

// A request with a small share that is not used up takes turns with a draining one of a
// larger share, though at its own pace it would always be later.
func TestSmallShareTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rounds{org: newOrg(60, rand.New(rand.NewPCG(3, 3)))}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var l Limiter
		var wg sync.WaitGroup
		for name, share := range map[string]float64{"small": 0.2, "large": 1} {
			c := r.asker(&l, name, true)
			c.Share = share
			wg.Go(func() { c.again(ctx, 0) })
		}
		wg.Wait()
		small := 0
		for _, g := range r.gone {
			if g.who == "small" {
				small++
			}
		}
		// Of each window's first 12 requests every other one, but not more.
		if small < 10*5 || small > 11*7 {
			t.Errorf("%d of %d requests by the small share", small, len(r.gone))
		}
		if r.org.refused > 0 || len(r.gone) < 560 {
			t.Errorf("%d requests in ten minutes, %d refused", len(r.gone), r.org.refused)
		}
	})
}

// Whatever waits or is cancelled, and whatever the shares: the whole limit is used, and
// no more.
func TestLineUsesTheWholeLimit(t *testing.T) {
	for _, limit := range []int{50, 100} {
		for seed := range uint64(4) {
			synctest.Test(t, func(t *testing.T) { useWhole(t, limit, seed) })
		}
	}
}

func useWhole(t *testing.T, limit int, seed uint64) {
	o := newOrg(limit, rand.New(rand.NewPCG(seed, 9)))
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	var l Limiter
	var wg sync.WaitGroup
	for i := range 9 {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		share := 1.0
		if i%3 == 2 {
			share = 0.5
		}
		wg.Go(func() {
			for ctx.Err() == nil {
				wait, stop := context.WithTimeout(ctx, time.Duration(rng.Int64N(int64(time.Minute))))
				err := l.Wait(wait, Request{Share: share, Rank: Rank(i / 3)})
				stop()
				if err != nil {
					continue
				}
				time.Sleep(time.Duration(rng.Int64N(int64(300 * time.Millisecond))))
				o.ask(&l, Request{Share: 0.5})
			}
		})
	}
	wg.Wait()
	used := 0
	for window := 2; window < 11; window++ {
		used += o.own[window]
	}
	if o.refused > 0 || float64(used) < 0.95*9*float64(limit-1) {
		t.Errorf("limit %d: used %d in 9 windows, %d refused", limit, used, o.refused)
	}
}

package limiter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// org is a rate limit as Okta keeps one: windows of 60 s that begin anywhere,
// Reset and Date in whole seconds, other clients that take their part.
type org struct {
	limit  int
	begins time.Duration // of a window, after the bubble's start
	skew   time.Duration // of the org's clocks against ours
	start  time.Time

	mu      sync.Mutex
	window  int
	taken   int
	own     map[int]int // our requests, by window
	others  map[int]int
	refused int
}

func newOrg(limit int, rng *rand.Rand) *org {
	return &org{
		limit:  limit,
		begins: time.Duration(rng.Int64N(int64(time.Minute))),
		skew:   time.Duration(rng.Int64N(int64(time.Hour))) - 30*time.Minute,
		start:  time.Now(),
		own:    map[int]int{}, others: map[int]int{},
	}
}

// take counts one request, ours or another client's.
func (o *org) take(ours bool) (int, http.Header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	elapsed := time.Since(o.start) + time.Minute - o.begins
	if n := int(elapsed / time.Minute); n != o.window {
		o.window, o.taken = n, 0
	}
	status := http.StatusOK
	switch {
	case o.taken >= o.limit:
		status = http.StatusTooManyRequests
		if ours {
			o.refused++
		}
	case ours:
		o.taken++
		o.own[o.window]++
	default:
		o.taken++
		o.others[o.window]++
	}
	return status, o.show(elapsed)
}

// show returns the headers at a time.
func (o *org) show(elapsed time.Duration) http.Header {
	now := time.Now().Add(o.skew)
	return headers(o.limit, o.limit-o.taken, now.Add(time.Minute-elapsed%time.Minute), now)
}

// look returns the headers of an answer to a request that is not counted.
func (o *org) look() http.Header {
	o.mu.Lock()
	defer o.mu.Unlock()
	elapsed := time.Since(o.start) + time.Minute - o.begins
	if n := int(elapsed / time.Minute); n != o.window {
		o.window, o.taken = n, 0
	}
	return o.show(elapsed)
}

// ask takes a request and tells the limiter the answer.
func (o *org) ask(l *Limiter, r Request) {
	status, h := o.take(true)
	l.Observe(r, status, h)
}

func headers(limit, remaining int, reset, date time.Time) http.Header {
	return http.Header{
		"X-Rate-Limit-Limit":     {strconv.Itoa(limit)},
		"X-Rate-Limit-Remaining": {strconv.Itoa(remaining)},
		"X-Rate-Limit-Reset":     {strconv.FormatInt(reset.Unix(), 10)},
		"Date":                   {date.UTC().Format(http.TimeFormat)},
	}
}

// drain asks as often as the limiter lets it until ctx ends.
func (o *org) drain(ctx context.Context, l *Limiter, share float64, rng *rand.Rand, slowest time.Duration) {
	for l.Wait(ctx, Request{Share: share}) == nil {
		time.Sleep(time.Duration(rng.Int64N(int64(slowest / 2))))
		status, h := o.take(true)
		time.Sleep(time.Duration(rng.Int64N(int64(slowest / 2))))
		l.Observe(Request{Share: 0.5}, status, h)
	}
}

func TestLimiterUsesItsShare(t *testing.T) {
	const windows = 10
	for _, limit := range []int{20, 50, 120, 600} {
		for _, share := range []float64{0.1, 0.5, 1} {
			for _, instances := range []int{1, 3} {
				for seed := range uint64(2) {
					name := fmt.Sprintf("limit %d share %v instances %d seed %d", limit, share, instances, seed)
					t.Run(name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { useShare(t, limit, share, instances, windows, seed) })
					})
				}
			}
		}
	}
}

func useShare(t *testing.T, limit int, share float64, instances, windows int, seed uint64) {
	o := newOrg(limit, rand.New(rand.NewPCG(seed, 1)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(windows+2)*time.Minute)
	defer cancel()
	var l Limiter
	var wg sync.WaitGroup
	for i := range instances {
		wg.Go(func() { o.drain(ctx, &l, share, rand.New(rand.NewPCG(seed, uint64(i))), 80*time.Millisecond) })
	}
	wg.Wait()
	if o.refused > 0 {
		t.Errorf("%d requests were refused", o.refused)
	}
	most := min(int(float64(limit)*share+1e-9), limit-1)
	used := 0
	for window := 2; window < 2+windows-1; window++ { // the first whole one, after one to learn in
		if o.own[window] > most {
			t.Errorf("window %d: %d requests, more than %d", window, o.own[window], most)
		}
		used += o.own[window]
	}
	if want := 0.95 * min(float64(limit)*share, float64(limit-1)) * float64(windows-1); float64(used) < want {
		t.Errorf("used %d in %d windows, want at least %.1f: %v", used, windows-1, want, o.own)
	}
}

// Other clients that keep to their own part leave ours alone; those that take more leave
// us less, and never cause a refusal.
func TestLimiterBesideOthers(t *testing.T) {
	for _, limit := range []int{20, 50, 120, 600} {
		for _, greed := range []float64{0.3, 0.5, 0.8} {
			for seed := range uint64(3) {
				t.Run(fmt.Sprintf("limit %d others %v seed %d", limit, greed, seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { besideOthers(t, limit, greed, seed) })
				})
			}
		}
	}
}

func besideOthers(t *testing.T, limit int, greed float64, seed uint64) {
	const windows = 10
	rng := rand.New(rand.NewPCG(seed, 2))
	o := newOrg(limit, rng)
	ctx, cancel := context.WithTimeout(t.Context(), (windows+2)*time.Minute)
	defer cancel()
	var l Limiter
	var wg sync.WaitGroup
	wg.Go(func() { o.drain(ctx, &l, 0.5, rng, 100*time.Millisecond) })
	wg.Go(func() {
		others := rand.New(rand.NewPCG(seed, 3))
		for ctx.Err() == nil {
			time.Sleep(time.Duration(others.ExpFloat64() * float64(time.Minute) / (greed * float64(limit))))
			o.take(false)
		}
	})
	wg.Wait()
	if o.refused > 0 {
		t.Errorf("%d requests were refused", o.refused)
	}
	for window := 2; window < 2+windows-1; window++ {
		if o.own[window] == 0 {
			t.Errorf("window %d: not asked at all", window)
		}
		if o.own[window]+o.others[window] >= limit && o.others[window] < limit-1 && o.own[window] > limit/2 {
			t.Errorf("window %d: %d requests beside %d others of %d", window, o.own[window], o.others[window], limit)
		}
	}
}

// waits asks a limiter in a bubble how long its next request has to wait.
func waits(t *testing.T, l *Limiter, share float64) time.Duration {
	t.Helper()
	began := time.Now()
	if err := l.Wait(t.Context(), Request{Share: share}); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func TestLimiterAfterRefusal(t *testing.T) {
	full := func(reset time.Duration) http.Header {
		return headers(50, 0, time.Now().Add(reset), time.Now())
	}
	without := func(h http.Header, name string) http.Header {
		h.Del(name)
		return h
	}
	with := func(h http.Header, name, value string) http.Header {
		h.Set(name, value)
		return h
	}
	for _, test := range []struct {
		name        string
		header      func() http.Header
		least, most time.Duration
	}{
		{"reset ahead", func() http.Header { return full(20 * time.Second) }, 21 * time.Second, 23 * time.Second},
		{"reset past", func() http.Header { return full(-time.Hour) }, time.Second, 2 * time.Second},
		{"reset now", func() http.Header { return full(0) }, time.Second, 3 * time.Second},
		{"reset next year", func() http.Header { return full(8760 * time.Hour) }, 2 * time.Minute, 2 * time.Minute},
		{"reset in milliseconds", func() http.Header {
			return with(full(0), "X-Rate-Limit-Reset", "1700000000000")
		}, time.Minute, 63 * time.Second},
		{"no reset", func() http.Header { return without(full(0), "X-Rate-Limit-Reset") }, time.Minute, 63 * time.Second},
		{"no date", func() http.Header { return without(full(0), "Date") }, time.Minute, 63 * time.Second},
		{"concurrency", func() http.Header { return headers(0, 0, time.Now().Add(40*time.Second), time.Now()) }, time.Second, 2 * time.Second},
		{"nothing", func() http.Header { return http.Header{} }, time.Second, 2 * time.Second},
		{"retry after", func() http.Header { return http.Header{"Retry-After": {"17"}} }, 17 * time.Second, 17 * time.Second},
		{"retry after a day", func() http.Header { return http.Header{"Retry-After": {"86400"}} }, 2 * time.Minute, 2 * time.Minute},
		{"garbage", func() http.Header {
			return http.Header{"X-Rate-Limit-Limit": {"many"}, "X-Rate-Limit-Remaining": {"-3"}, "X-Rate-Limit-Reset": {"soon"}, "Date": {"?"}}
		}, time.Second, 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l Limiter
				if got := waits(t, &l, 0.5); got != 0 {
					t.Fatalf("the first request waits %s", got)
				}
				l.Observe(Request{Share: 0.5}, http.StatusTooManyRequests, test.header())
				if got := waits(t, &l, 0.5); got < test.least || got > test.most {
					t.Errorf("waits %s, want %s to %s", got, test.least, test.most)
				}
			})
		})
	}
}

func TestLimiterGrowsItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		l.Rand = func() float64 { return 0.5 }
		waits(t, &l, 0.5)
		var total time.Duration
		for range 10 {
			l.Observe(Request{Share: 0.5}, http.StatusTooManyRequests, headers(0, 0, time.Now(), time.Now()))
			wait := waits(t, &l, 0.5)
			if wait > time.Minute {
				t.Errorf("waits %s", wait)
			}
			total += wait
		}
		if total < 2*time.Minute {
			t.Errorf("ten refusals in %s", total)
		}
	})
}

func TestLimiterRetryAfterOf503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		waits(t, &l, 0.5)
		l.Observe(Request{Share: 0.5}, http.StatusServiceUnavailable, http.Header{"Retry-After": {"30"}})
		if got := waits(t, &l, 0.5); got != 30*time.Second {
			t.Errorf("waits %s", got)
		}
	})
}

// Before any answer only a few requests may be under way; those without an answer cost
// nothing, because the org hardly counted them.
func TestLimiterBeforeTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for i := range 4 * unknownLimit {
			if got := waits(t, &l, 1); got != 0 {
				t.Errorf("request %d waits %s", i, got)
			}
			if i >= unknownLimit-1 {
				l.Failed()
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		waits(t, &l, 1)
		if err := l.Wait(ctx, Request{Share: 1}); err == nil {
			t.Errorf("more than %d are under way", unknownLimit)
		}
	})
}

// An org that shows no budget is asked without limit until it shows one.
func TestLimiterWithoutHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		for i := range 100 {
			if got := waits(t, &l, 0.5); got != 0 {
				t.Fatalf("request %d waits %s", i, got)
			}
			l.Observe(Request{Share: 0.5}, http.StatusOK, http.Header{})
		}
		waits(t, &l, 0.5)
		l.Observe(Request{Share: 0.5}, http.StatusTooManyRequests, http.Header{})
		began := time.Now()
		for range 3 * unknownLimit {
			waits(t, &l, 0.5)
			l.Observe(Request{Share: 0.5}, http.StatusOK, http.Header{})
		}
		if took := time.Since(began); took < 2*time.Minute {
			t.Errorf("after a 429 without headers %d requests go in %s", 3*unknownLimit, took)
		}
	})
}

// A drain is spread over the window, even one that begins late in it.
func TestLimiterSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		waits(t, &l, 0.5)
		l.Observe(Request{Share: 0.5}, http.StatusOK, headers(120, 90, time.Now().Add(30*time.Second), time.Now()))
		began := time.Now()
		for i := range 30 {
			if got := waits(t, &l, 0.5); got < 900*time.Millisecond || got > 1100*time.Millisecond {
				t.Errorf("request %d waits %s, want about a thirtieth of 30 s", i, got)
			}
			l.Observe(Request{Share: 0.5}, http.StatusOK, headers(120, 89-i, began.Add(30*time.Second), time.Now()))
		}
		if waits(t, &l, 0.5); time.Since(began) < 30*time.Second {
			t.Errorf("half of the limit is used, and the next request goes after %s", time.Since(began))
		}
	})
}

func TestLimiterIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		o := newOrg(20, rand.New(rand.NewPCG(1, 1)))
		for range 50 {
			if got := waits(t, &l, 0.5); got != 0 {
				t.Errorf("an idle org's request waits %s", got)
			}
			o.ask(&l, Request{Share: 0.5})
			time.Sleep(5 * time.Minute)
		}
	})
}

// Answers that no longer show the budget don't lift it.
func TestLimiterKeepsToWhatItKnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		waits(t, &l, 0.5)
		l.Observe(Request{Share: 0.5}, http.StatusOK, headers(20, 19, time.Now().Add(30*time.Second), time.Now()))
		sent, end := 0, time.Now().Add(10*time.Minute)
		for time.Now().Before(end) {
			waits(t, &l, 0.5)
			sent++
			if sent%2 == 0 {
				l.Failed()
			} else {
				l.Observe(Request{Share: 0.5}, http.StatusOK, http.Header{})
			}
		}
		if sent > 11*10 || sent < 80 {
			t.Errorf("%d requests in ten minutes", sent)
		}
	})
}

// A Reset that never changes, or is in the past, neither stops the limiter nor disables
// it.
func TestLimiterOddResets(t *testing.T) {
	for name, reset := range map[string]func() time.Time{
		"constant": func() time.Time { return time.Unix(1000, 0) },
		"past":     func() time.Time { return time.Now().Add(-time.Minute) },
		"zero":     func() time.Time { return time.Unix(0, 0) },
		"far":      func() time.Time { return time.Now().Add(24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l Limiter
				o := newOrg(20, rand.New(rand.NewPCG(7, 7)))
				sent, end := 0, time.Now().Add(10*time.Minute)
				for time.Now().Before(end) {
					waits(t, &l, 0.5)
					sent++
					status, h := o.take(true)
					h.Set("X-Rate-Limit-Reset", strconv.FormatInt(reset().Unix(), 10))
					l.Observe(Request{Share: 0.5}, status, h)
				}
				if sent < 20 || sent > 200 {
					t.Errorf("%d requests in ten minutes at a limit of 20", sent)
				}
			})
		})
	}
}

// One answer with an absurd Reset does not hide those after it.
func TestLimiterOneAbsurdReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		end := time.Now().Add(time.Minute)
		for i, reset := range []time.Time{end, time.Now().Add(9999 * time.Hour), end, end} {
			waits(t, &l, 0.5)
			l.Observe(Request{Share: 0.5}, http.StatusOK, headers(20, 13-i, reset, time.Now()))
		}
		if got := waits(t, &l, 0.5); time.Now().Before(end) {
			t.Errorf("the half is used up, and the next request goes after %s", got)
		}
	})
}

// Every answer's estimate of the window's end is late by what the answer took
// and what Date leaves out, so the least of them counts.
func TestLimiterLeastEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		began := time.Now()
		reset := began.Add(30 * time.Second)
		for i, took := range []time.Duration{9 * time.Second, 0, 9 * time.Second} {
			waits(t, &l, 0.5)
			date := time.Now()
			time.Sleep(took)
			l.Observe(Request{Share: 0.5}, http.StatusOK, headers(20, 12-i, reset, date))
		}
		waits(t, &l, 0.5)
		if got := time.Since(began); got < 31*time.Second || got > 32*time.Second {
			t.Errorf("the next window's first request goes after %s, want 31 to 32s", got)
		}
	})
}

// The window's clock and Date may differ within the org.
func TestLimiterSkewWithinTheOrg(t *testing.T) {
	for _, skew := range []time.Duration{-4 * time.Second, -2 * time.Second, 2 * time.Second, 4 * time.Second} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOrg(50, rand.New(rand.NewPCG(3, 3)))
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
				defer cancel()
				var l Limiter
				for l.Wait(ctx, Request{Share: 0.5}) == nil {
					status, h := o.take(true)
					h.Set("Date", time.Now().Add(o.skew+skew).UTC().Format(http.TimeFormat))
					l.Observe(Request{Share: 0.5}, status, h)
				}
				total := 0
				for window := 2; window < 20; window++ {
					total += o.own[window]
				}
				if o.refused > 0 || total > 18*26 || float64(total) < 0.9*18*25 {
					t.Errorf("%d refused, %d used of %d", o.refused, total, 18*25)
				}
			})
		})
	}
}

func TestLimiterTinyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		o := newOrg(1, rand.New(rand.NewPCG(5, 5)))
		for range 10 {
			waits(t, &l, 0.01)
			o.ask(&l, Request{Share: 0.5})
		}
		if o.refused > 0 {
			t.Errorf("%d refused", o.refused)
		}
	})
}

func TestLimiterWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		waits(t, &l, 0.5)
		l.Observe(Request{Share: 0.5}, http.StatusTooManyRequests, http.Header{})
		why := errors.New("shut down")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if err := l.Wait(ctx, Request{Share: 0.5}); !errors.Is(err, why) {
			t.Errorf("wait ended with %v", err)
		}
	})
}

func TestObserveReturnsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		waits(t, &l, 0.5)
		reset := time.Now().Add(30 * time.Second).UTC()
		h := headers(120, 100, reset, time.Now())
		h.Add("X-Rate-Limit-Remaining", "90") // the token's own
		got, ok := l.Observe(Request{Share: 0.5}, http.StatusOK, h)
		if !ok || got.Limit != 120 || got.Remaining != 90 || !got.Reset.Equal(reset) {
			t.Errorf("state %+v, %v", got, ok)
		}
	})
}

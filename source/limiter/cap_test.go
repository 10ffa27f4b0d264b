package limiter

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
)

// capped is an org that gives each credential a part of its limit only.
type capped struct {
	*org
	shown   bool // the headers show the credential's budget, not the org's
	mu      sync.Mutex
	cap     int
	used    map[pipeline.Credential]int
	at      int // the window that used is of
	most    map[pipeline.Credential]int
	refused []time.Duration // when, after the start
}

func newCapped(limit, most int, shown bool, rng *rand.Rand) *capped {
	return &capped{org: newOrg(limit, rng), cap: most, shown: shown, at: -1, most: map[pipeline.Credential]int{}}
}

// take counts a request of a credential.
func (c *capped) take(by pipeline.Credential) (int, http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := int((time.Since(c.start) + time.Minute - c.begins) / time.Minute); n != c.at {
		c.at, c.used = n, map[pipeline.Credential]int{}
	}
	status, h := http.StatusTooManyRequests, http.Header(nil)
	if c.used[by] < c.cap {
		if status, h = c.org.take(true); status == http.StatusOK {
			c.used[by]++
			c.most[by]++
		}
	} else {
		h = c.org.look()
	}
	if status != http.StatusOK {
		c.refused = append(c.refused, time.Since(c.start))
	}
	if c.shown {
		var left int
		_, err := fmt.Sscan(h.Get("X-Rate-Limit-Remaining"), &left)
		if err != nil {
			panic(err)
		}
		left = min(c.cap-c.used[by], left)
		h["X-Rate-Limit-Limit"], h["X-Rate-Limit-Remaining"] = []string{fmt.Sprint(c.cap)}, []string{fmt.Sprint(left)}
	}
	return status, h
}

// drain asks with a credential as often as the limiter lets it until ctx ends.
func (c *capped) drain(ctx context.Context, l *Limiter, by pipeline.Credential, rng *rand.Rand) {
	r := Request{Share: 1, Credential: by}
	for l.Wait(ctx, r) == nil {
		time.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
		status, h := c.take(by)
		time.Sleep(time.Duration(rng.Int64N(int64(100 * time.Millisecond))))
		l.Observe(r, status, h)
	}
}

// A drain learns the credential's cap from its first refusal, keeps to it for days, and asks
// again once a day. Neither other clients, who use some of the limit, nor a second instance
// of the same credential change that.
func TestLimiterKeepsToACap(t *testing.T) {
	for _, c := range []struct {
		limit, cap, instances, others, days int
		shown                               bool
	}{
		{120, 60, 1, 0, 0, false}, {120, 60, 1, 30, 0, true}, {120, 24, 1, 40, 0, false}, {50, 25, 2, 0, 0, false},
		{20, 10, 3, 5, 2, false}, {20, 5, 1, 5, 3, false}, {20, 10, 1, 0, 1, true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newCapped(c.limit, c.cap, c.shown, rand.New(rand.NewPCG(1, 9)))
				// One that teaches; another one when others were counted in the window in which
				// the process began, and those in flight with it.
				learning := c.instances + min(c.others, 1)
				keepToCap(t, o, c.instances, c.others, c.days, learning)
			})
		})
	}
}

func keepToCap(t *testing.T, o *capped, instances, others, days, learning int) {
	windows := days*24*60 + 60
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(windows)*time.Minute)
	defer cancel()
	l, token := new(Limiter), pipeline.NewSecret("token")
	var wg sync.WaitGroup
	for i := range instances {
		wg.Go(func() { o.drain(ctx, l, token, rand.New(rand.NewPCG(2, uint64(i)))) })
	}
	if others > 0 {
		wg.Go(func() {
			for pipeline.Sleep(ctx, time.Minute/time.Duration(others)) == nil {
				o.org.take(false)
			}
		})
	}
	wg.Wait()
	usable, refused := o.cap, learning+days
	if o.shown {
		usable, refused = o.cap-1, 0 // one of what is shown stays free
	}
	if len(o.refused) > refused {
		t.Errorf("%d requests were refused, at %v", len(o.refused), o.refused)
	}
	if want := 0.9 * float64(windows*usable); float64(o.most[token]) < want {
		t.Errorf("used %d in %d windows, want %.0f", o.most[token], windows, want)
	}
}

// Two credentials of one org have a cap each, and a changed one is asked anew.
func TestCapBelongsToTheCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 9))
		o := newCapped(120, 30, false, rng)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		l := new(Limiter)
		tokens := []pipeline.Credential{pipeline.NewSecret("one"), pipeline.NewSecret("two")}
		var wg sync.WaitGroup
		for i, token := range tokens {
			wg.Go(func() { o.drain(ctx, l, token, rand.New(rand.NewPCG(2, uint64(i)))) })
		}
		wg.Wait()
		if len(o.refused) > 4 { // see TestLimiterKeepsToACap: each is another client to the other
			t.Errorf("%d requests were refused, at %v", len(o.refused), o.refused)
		}
		for _, token := range tokens {
			if got := l.capOf(token).within(120); got != 30 {
				t.Errorf("a cap of %d, not 30", got)
			}
			if o.most[token] < 27*120 {
				t.Errorf("used %d in 120 windows", o.most[token])
			}
		}
		if got := l.capOf(pipeline.NewSecret("three")).Requests; got != 0 {
			t.Errorf("a new credential has the cap %d", got)
		}
	})
}

// A cap that an earlier process has learned is kept to from the start, also in a window in
// which that process has used some of it, until a day after it was learned.
func TestRememberedCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 9))
		o := newCapped(120, 60, false, rng)
		token := pipeline.NewSecret("token")
		known := pipeline.Cap{}
		for n := range 10 {
			l := new(Limiter)
			l.Remember(token, known)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+23*time.Second)
			o.drain(ctx, l, token, rng)
			cancel()
			if known = l.capOf(token).Cap; known.Requests != 60 || known.Of != 120 {
				t.Fatalf("after %d starts: %+v", n, known)
			}
		}
		if len(o.refused) != 1 {
			t.Errorf("refused at %v", o.refused)
		}
	})
}

// A larger cap is found a day later, a smaller one by its first refusal.
func TestCapThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 9))
		o := newCapped(20, 5, false, rng)
		l, token := new(Limiter), pipeline.NewSecret("token")
		for _, step := range []struct {
			cap int
			d   time.Duration
		}{{5, time.Hour}, {15, 25 * time.Hour}, {2, time.Hour}} {
			o.cap = step.cap
			before := len(o.refused)
			ctx, cancel := context.WithTimeout(t.Context(), step.d)
			o.drain(ctx, l, token, rng)
			cancel()
			if got := l.capOf(token).within(20); got != step.cap {
				t.Errorf("a cap of %d, not %d", got, step.cap)
			}
			if n := len(o.refused) - before; n != 1 {
				t.Errorf("%d refusals until the cap was %d", n, step.cap)
			}
		}
	})
}

// What is no cap: a used-up limit, a limit of concurrency, a proxy's refusal, one right after
// a reset, and one after so few requests that no cap can be so small.
func TestRefusalsThatAreNoCap(t *testing.T) {
	at := func(limit, left int, reset time.Duration) http.Header {
		return headers(limit, left, time.Now().Add(reset), time.Now())
	}
	for name, refusal := range map[string]func() http.Header{
		"used up":        func() http.Header { return at(120, 0, 30*time.Second) },
		"others' part":   func() http.Header { return at(120, 60, 30*time.Second) },
		"concurrency":    func() http.Header { return at(0, 0, 30*time.Second) },
		"without header": func() http.Header { return http.Header{} },
		"retry after": func() http.Header {
			h := at(120, 100, 30*time.Second)
			h.Set("Retry-After", "5")
			return h
		},
		"after a reset": func() http.Header { return at(120, 119, 90*time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, r := new(Limiter), Request{Share: 0.5, Credential: pipeline.NewSecret("token")}
				shown := at(120, 110, 30*time.Second)
				for range 10 {
					if err := l.Wait(t.Context(), r); err != nil {
						t.Fatal(err)
					}
					l.Observe(r, http.StatusOK, shown)
				}
				if err := l.Wait(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if limit, _ := l.Observe(r, http.StatusTooManyRequests, refusal()); limit.Cap != nil || l.capOf(r.Credential).Requests != 0 {
					t.Errorf("a cap: %+v", limit.Cap)
				}
			})
		})
	}
}

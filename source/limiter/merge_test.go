package limiter

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// knowing is a limiter after an answer: 70 of 120 are left, for 30 s.
func knowing(t *testing.T) (l *Limiter, reset int64) {
	t.Helper()
	l = &Limiter{Origin: "https://acme.okta.com", Replica: "a", Rand: func() float64 { return 0.5 }}
	end := time.Now().Add(30 * time.Second)
	waits(t, l, 0.5)
	l.Observe(Request{Share: 0.5}, http.StatusOK, headers(120, 70, end, time.Now()))
	return l, end.Unix()
}

func TestMerge(t *testing.T) {
	ends := func(b *pipeline.Budget, d time.Duration) { b.WindowEnds = time.Now().Add(d) }
	for _, test := range []struct {
		name   string
		theirs func(b *pipeline.Budget) // from the same window, 50 left, ending 1 s earlier

		remaining int
		left      time.Duration
		later     int64 // how much later the Reset is
	}{
		{"less and earlier", func(*pipeline.Budget) {}, 50, 29 * time.Second, 0},
		{"more and later", func(b *pipeline.Budget) { b.Remaining = 90; ends(b, 40*time.Second) }, 70, 30 * time.Second, 0},
		{"less and later", func(b *pipeline.Budget) { ends(b, 40*time.Second) }, 50, 30 * time.Second, 0},
		{"the same Reset, counted anew", func(b *pipeline.Budget) { b.Reset += 2 }, 50, 29 * time.Second, 0},
		{"the next window", func(b *pipeline.Budget) { b.Reset += 60; b.Remaining = 119; ends(b, 50*time.Second) }, 119, 50 * time.Second, 60},
		{"the next window, too long", func(b *pipeline.Budget) { b.Reset += 60; ends(b, time.Hour) }, 50, time.Minute, 60},
		{"the window before", func(b *pipeline.Budget) { b.Reset -= 60 }, 70, 30 * time.Second, 0},
		{"one that is over", func(b *pipeline.Budget) { b.Reset += 60; ends(b, -slack) }, 70, 30 * time.Second, 0},
		{"one that has just ended", func(b *pipeline.Budget) { ends(b, -slack/2) }, 50, -slack / 2, 0},
		{"one without Reset", func(b *pipeline.Budget) { b.Reset = 0 }, 50, 29 * time.Second, 0},
		{"none", func(b *pipeline.Budget) { *b = pipeline.Budget{} }, 70, 30 * time.Second, 0},
		{"no window", func(b *pipeline.Budget) { b.WindowEnds = time.Time{} }, 70, 30 * time.Second, 0},
		{"no limit", func(b *pipeline.Budget) { b.Limit = 0 }, 70, 30 * time.Second, 0},
		{"nonsense", func(b *pipeline.Budget) { b.Remaining = -1 }, 70, 30 * time.Second, 0},
		{"more left than there is", func(b *pipeline.Budget) { b.Limit = 10 }, 70, 30 * time.Second, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, reset := knowing(t)
				theirs := pipeline.Budget{Limit: 120, Remaining: 50, Reset: reset, WindowEnds: time.Now().Add(29 * time.Second)}
				test.theirs(&theirs)
				for range 2 { // a repeat changes nothing
					l.Merge(theirs)
					got := l.budget(time.Now())
					if got.Remaining != test.remaining || got.Reset != reset+test.later || time.Until(got.WindowEnds) != test.left {
						t.Errorf("%d left, for %s, reset %+d", got.Remaining, time.Until(got.WindowEnds), got.Reset-reset)
					}
				}
			})
		})
	}
}

func TestMergeHold(t *testing.T) {
	for _, test := range []struct{ ours, theirs, want time.Duration }{
		{0, 0, 0}, {0, 20 * time.Second, 20 * time.Second}, {30 * time.Second, 20 * time.Second, 30 * time.Second},
		{20 * time.Second, 30 * time.Second, 30 * time.Second}, {0, time.Hour, 2 * time.Minute}, {0, -time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var l Limiter
			waits(t, &l, 0.5)
			h := http.Header{}
			if test.ours > 0 {
				h.Set("Retry-After", fmt.Sprint(test.ours.Seconds()))
			}
			l.Observe(Request{Share: 0.5}, http.StatusServiceUnavailable, h)
			l.Merge(pipeline.Budget{HoldUntil: time.Now().Add(test.theirs)})
			if got := waits(t, &l, 0.5); got != test.want {
				t.Errorf("%v: waits %s", test, got)
			}
		})
	}
}

// A limiter that has sent nothing yet goes by what others tell it.
func TestMergeIntoNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		l.Merge(pipeline.Budget{
			Limit: 120, Remaining: 64, Reset: 1e9, WindowEnds: time.Now().Add(20 * time.Second),
			LateSeconds: 2, Askers: map[string]time.Time{"b": time.Now().Add(-59 * time.Second)},
		})
		began := time.Now()
		for i, want := range []time.Duration{0, 10 * time.Second, 3 * time.Second} { // 4 are left: 2 of them for b, that is soon forgotten
			if got := waits(t, &l, 0.5); got.Round(time.Second) != want {
				t.Errorf("request %d waits %s, want %s", i, got, want)
			}
		}
		waits(t, &l, 0.5)
		waits(t, &l, 0.5)
		if got := time.Since(began); got != 20*time.Second+slack+2*time.Second {
			t.Errorf("a request that the share does not hold goes after %s", got)
		}
	})
}

// Many limiters that exchange their states in any order end with the same one.
func TestMergeInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			var told []pipeline.Budget
			for i := range 6 {
				told = append(told, pipeline.Budget{
					Limit: 120, Remaining: rng.IntN(120), Reset: int64(1e9 + 60*rng.IntN(3)),
					WindowEnds:  time.Now().Add(time.Duration(rng.Int64N(int64(time.Minute)))),
					HoldUntil:   time.Now().Add(time.Duration(rng.Int64N(int64(3 * time.Minute)))),
					LateSeconds: float64(rng.IntN(9)), Limited: rng.IntN(2) == 0,
					Askers: map[string]time.Time{fmt.Sprint(i % 4): time.Now().Add(-time.Duration(rng.Int64N(int64(2 * time.Minute))))},
				})
			}
			var want pipeline.Budget
			for i := range 5 {
				var l Limiter
				for _, j := range rng.Perm(len(told)) {
					l.Merge(told[j])
				}
				if got := l.budget(time.Now()); i == 0 {
					want = got
				} else if !reflect.DeepEqual(got, want) {
					t.Fatalf("in another order:\n%+v\n%+v", got, want)
				}
			}
			if want.LateSeconds > maxLate.Seconds() || time.Until(want.HoldUntil) > maxPause {
				t.Errorf("beyond bounds: %+v", want)
			}
		}
	})
}

func TestBudgetOfAWindowThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := knowing(t)
		time.Sleep(time.Minute)
		if b := l.budget(time.Now()); b.Limit != 0 || b.Remaining != 0 || b.Reset != 0 || !b.WindowEnds.IsZero() || b.Origin == "" {
			t.Errorf("%+v", b)
		}
	})
}

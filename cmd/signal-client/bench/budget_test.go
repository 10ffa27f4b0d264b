package bench

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/source/okta/oktatest"
)

const (
	budgetLimit = 50 // requests a minute
	budgetTime  = time.Hour
	budgetPage  = 10
)

// budgets drains orgs that take 50 requests a minute, and orgs of which 50 a
// minute are ours.
func budgets(t *testing.T, r *report) {
	progress("budget: %s of drains, in a bubble", budgetTime)
	r.Part(fmt.Sprintf("Drain for %s within a budget", budgetTime))
	for _, b := range []struct {
		limit int
		share float64
	}{{2 * budgetLimit, 0.5}, {budgetLimit, 0.5}, {budgetLimit, 1}} {
		s := budget(t, b.limit, b.share)
		name := fmt.Sprintf("%d requests a minute, rate_share %v: ", b.limit, b.share)
		r.Target(name+"refused with 429", fmt.Sprint(s.refused), "0", s.refused == 0)
		r.Target(name+"used of the share", fmt.Sprintf("%.1f %%", 100*s.used), "≥ 95 %", s.used >= 0.95)
	}
}

// spent is what a drain made of its budget.
type spent struct {
	refused int     // with 429
	used    float64 // of the requests that are ours: a share of the limit, with at least one left for others
}

// budget drains an org for a while. Requests are counted from some windows
// on: the first one is cut, and so a whole window's budget in less than a minute.
func budget(t *testing.T, limit int, share float64) (s spent) {
	const warm = 3 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		pages := limit * int((budgetTime+2*warm)/time.Minute)
		b := &bubble{
			limit: budgetPage, share: share, interval: time.Minute,
			org: oktatest.New(oktatest.Config{
				Seed: 1, Origin: bubbleOrigin, Rate: oktatest.Rate{PerMinute: limit, Share: 1}, Requests: -1,
				Synthesize: oktatest.Synthesize{Events: pages * budgetPage, Size: drainSize},
			}),
		}
		ctx, cancel := context.WithTimeout(t.Context(), warm+budgetTime)
		defer cancel()
		before := 0
		time.AfterFunc(warm, func() { before = b.org.Stats().Requests })
		b.run(ctx, t)
		stats := b.org.Stats()
		ours := min(float64(limit)*share, float64(limit-1)) * budgetTime.Minutes()
		s = spent{refused: stats.Violations, used: float64(stats.Requests-before) / ours}
	})
	return s
}

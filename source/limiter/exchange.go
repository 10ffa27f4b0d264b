package limiter

import (
	"context"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Exchange shares what one process knows of an org's budget with other processes that ask
// the same org: during a handover, or when two of them ask it. It may fail: the org's own
// answers have the last word.
//
// Two processes that drained an org of 50 requests a minute, of which a token has half,
// met one 429 a minute without it, three met two, and none with it (measured against
// oktatest, 2026-11-28).
type Exchange interface {
	// Read returns the stored Budget of an org, with this process's times; zero: none.
	Read(ctx context.Context, origin string) (pipeline.Budget, error)
	// Write replaces the stored Budget by next's result. It calls next again when another
	// process was faster, so that no write is lost.
	Write(ctx context.Context, origin string, next func(stands pipeline.Budget) pipeline.Budget) error
}

const (
	// exchangeEvery is how often the stored budget is read before a request, and how
	// often it is written by all processes together.
	exchangeEvery = time.Second
	// exchangeTime is how long an exchange may delay a request.
	exchangeTime = 250 * time.Millisecond
	// few is how many requests of a window are not shared: mere polling causes no writes.
	few = 4
	// asking is how long after its last request a process counts as sharing the budget.
	asking = windowLength
)

// exchangeState is the state of the budget exchange.
type exchangeState struct {
	under   chan struct{} // closed when the current exchange has ended; nil: none
	paused  time.Time     // no exchange before
	read    time.Time     // no read before
	write   time.Time     // no write before, except for a hold
	backoff pipeline.Backoff

	used   int                  // own requests in the window
	untold bool                 // an answer has arrived since the last write
	held   time.Time            // the hold that the others know of
	askers map[string]time.Time // as in pipeline.Budget
}

// exchange shares this process's budget, or else reads the others', when that is due. A
// failure costs at most exchangeTime, and then nothing for a while.
func (l *Limiter) exchange(ctx context.Context) {
	if l.Exchange == nil {
		return
	}
	tell, read, under := l.due()
	if under != nil {
		select {
		case <-under:
		case <-ctx.Done():
		}
		return
	}
	if !tell && !read {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	if tell {
		l.exchanged(true, l.Exchange.Write(ctx, l.Origin, func(stands pipeline.Budget) pipeline.Budget {
			l.Merge(stands)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.sharing.untold, l.sharing.held = false, l.hold // it is shared now
			return l.budget(time.Now())
		}))
		return
	}
	stands, err := l.Exchange.Read(ctx, l.Origin)
	if err == nil {
		l.Merge(stands)
	}
	l.exchanged(false, err)
}

// due starts an exchange if one is due, or returns the one in progress to wait for.
func (l *Limiter) due() (tell, read bool, under <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.sharing.under != nil {
		return false, false, l.sharing.under
	}
	if now.Before(l.sharing.paused) {
		return false, false, nil
	}
	tell, read = l.news(now), !now.Before(l.sharing.read)
	if tell || read {
		l.sharing.under = make(chan struct{})
	}
	return tell, read, nil
}

// news reports whether the others should be told: of a hold at once, of a window when
// much of it is used or another process uses it, too.
func (l *Limiter) news(now time.Time) bool {
	if l.hold.After(now) && l.hold.After(l.sharing.held.Add(time.Second)) {
		return true
	}
	if !l.sharing.untold || now.Before(l.sharing.write) || !l.known || l.over(now) {
		return false
	}
	return l.sharing.used > min(few, l.window.limit/20) || l.peers(now) > 0
}

func (l *Limiter) exchanged(told bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.sharing.under)
	l.sharing.under = nil
	now := time.Now()
	if err != nil {
		l.sharing.backoff.Min, l.sharing.backoff.Max = 5*time.Second, 5*time.Minute
		l.sharing.paused = now.Add(l.sharing.backoff.Next())
		return
	}
	l.sharing.backoff.Reset()
	l.sharing.read = now.Add(exchangeEvery)
	if told {
		l.sharing.write = now.Add(exchangeEvery * time.Duration(1+l.peers(now)))
	}
}

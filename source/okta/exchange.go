package okta

import (
	"context"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Exchange carries what one process knows of an org's budget to the others that
// ask the org: for the moments in which two of them do, and for the one that takes
// over from another. It is a courtesy, and may fail: the org's own answers have
// the last word.
type Exchange interface {
	// Read returns what stands of an org, its times by this process's clock; the
	// zero Budget when nothing does.
	Read(ctx context.Context, origin string) (pipeline.Budget, error)
	// Write puts what next makes of what stands in its place. It calls next again
	// when another was quicker, so that nothing that stood is overlooked.
	Write(ctx context.Context, origin string, next func(stands pipeline.Budget) pipeline.Budget) error
}

const (
	// exchangeEvery is how often the others are read, before a request; and how often
	// an org's budget is written, by all processes together.
	exchangeEvery = time.Second
	// exchangeTime is the longest that an exchange may hold a request up.
	exchangeTime = 250 * time.Millisecond
	// few requests of a window tell the others nothing that they must know: an
	// org that is merely polled is not written about.
	few = 4
	// asking is how long one that has asked is taken to share the budget.
	asking = windowLength
)

// talk is how a Limiter stands with those of other processes.
type talk struct {
	under   chan struct{} // closed when the exchange under way has ended; nil: none is
	paused  time.Time     // nothing is exchanged before
	read    time.Time     // nothing is read before
	write   time.Time     // nothing is written before, but for a hold
	backoff pipeline.Backoff

	used   int                  // own requests in the window
	untold bool                 // an answer came since the others were told
	held   time.Time            // the hold that they know of
	askers map[string]time.Time // as in pipeline.Budget
}

// exchange tells the other processes what they should know, or else reads what
// they know, if it is time to. Its failure costs at most exchangeTime, and then
// nothing for a while.
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
			return l.telling()
		}))
		return
	}
	stands, err := l.Exchange.Read(ctx, l.Origin)
	if err == nil {
		l.Merge(stands)
	}
	l.exchanged(false, err)
}

// due begins an exchange if it is time for one; or returns the one to wait for.
func (l *Limiter) due() (tell, read bool, under <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.talk.under != nil {
		return false, false, l.talk.under
	}
	if now.Before(l.talk.paused) {
		return false, false, nil
	}
	tell, read = l.news(now), !now.Before(l.talk.read)
	if tell || read {
		l.talk.under = make(chan struct{})
	}
	return tell, read, nil
}

// news reports whether the others should be told: of a hold at once, of a window
// when it is used, or when another uses it too.
func (l *Limiter) news(now time.Time) bool {
	if l.hold.After(now) && l.hold.After(l.talk.held.Add(time.Second)) {
		return true
	}
	if !l.talk.untold || now.Before(l.talk.write) || !l.known || l.over(now) {
		return false
	}
	return l.talk.used > min(few, l.window.limit/20) || l.peers(now) > 0
}

// telling is Budget for the others, who then know it.
func (l *Limiter) telling() pipeline.Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.talk.untold, l.talk.held = false, l.hold
	return l.budget(time.Now())
}

// exchanged ends an exchange.
func (l *Limiter) exchanged(told bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.talk.under)
	l.talk.under = nil
	now := time.Now()
	if err != nil {
		l.talk.backoff.Min, l.talk.backoff.Max = 5*time.Second, 5*time.Minute
		l.talk.paused = now.Add(l.talk.backoff.Next())
		return
	}
	l.talk.backoff.Reset()
	l.talk.read = now.Add(exchangeEvery)
	if told {
		l.talk.write = now.Add(exchangeEvery * time.Duration(1+l.peers(now)))
	}
}

package okta

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Limiter keeps the requests to one org within its budget, whatever the number
// of instances that ask it. It learns the budget from every answer. Its zero value
// is ready; it is safe for concurrent use.
//
// Within a window it spreads what it may use over the time that is left, and an
// org that was idle is asked at once. Those who wait are served in turn. It holds everything back after a 429. It does
// not wait after other failures. An org whose answers show no budget at all is
// taken to have none, until it answers 429.
type Limiter struct {
	// Rand returns numbers in [0, 1), for jitter; nil: math/rand/v2.
	Rand func() float64

	// Exchange, unless nil, tells the Limiters of other processes that ask the
	// org at Origin what this one knows, and this one, called Replica, what they do.
	Exchange        Exchange
	Origin, Replica string

	mu       sync.Mutex
	known    bool // window is from an answer
	silent   bool // an answer showed no budget, and was not 429
	limited  bool // an answer was 429
	window   window
	shown    pipeline.RateLimit
	inFlight int
	last     time.Time     // when a request last went
	hold     time.Time     // nothing goes before
	refusals int           // 429s in a row
	late     time.Duration // how late the org's windows were seen to end
	line     line          // those who wait
	talk     talk
}

const (
	// unknownLimit is what goes at once before any answer, and in a minute
	// once an org that shows no budget has answered 429: a quarter of the
	// smallest limit that Okta gives.
	unknownLimit = 5
	// slack is kept after a window's end before we count on a new one: Reset
	// may be cut to seconds.
	slack   = time.Second
	maxLate = 5 * time.Second
)

// Wait blocks until one request may go, and counts it as in flight: Observe or
// Failed must follow. share is the part of the org's limit that the caller keeps to.
// Those who wait go in the order in which they came; but one whose share of the window
// is used up holds up nobody whose share is larger. It returns only ctx's cause.
func (l *Limiter) Wait(ctx context.Context, share float64) error {
	return l.wait(ctx, &waiter{share: share})
}

// wait is Wait in the line.
func (l *Limiter) wait(ctx context.Context, w *waiter) error {
	l.enter(w)
	defer l.leave(w)
	for ctx.Err() == nil {
		l.exchange(ctx)
		wait := l.take(w)
		if wait <= 0 {
			return nil
		}
		w.tell(wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.look:
		}
		timer.Stop()
	}
	return context.Cause(ctx)
}

// Observe learns from an answer. It returns the budget that the answer showed, if any.
func (l *Limiter) Observe(status int, h http.Header) (pipeline.RateLimit, bool) {
	now, seen := time.Now(), readBudget(h)
	limit, ok := seen.rateLimit()
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.line.wake()
	l.inFlight--
	l.talk.untold = true
	if ok {
		l.learn(now, seen)
		l.shown = limit
	} else {
		l.spend(now)
	}
	l.silent = l.silent || !ok && status != http.StatusTooManyRequests
	l.limited = l.limited || status == http.StatusTooManyRequests
	l.holdBack(now, status, seen)
	return limit, ok
}

// Failed takes note of a request without an answer; it may have been counted.
func (l *Limiter) Failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.line.wake()
	l.inFlight--
	if l.known { // before any answer it was hardly heard
		l.spend(time.Now())
	}
}

// State returns the budget that an answer last showed, if any has.
func (l *Limiter) State() (pipeline.RateLimit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown, l.shown.Limit > 0
}

// enter puts a waiter into the line. The others look again: its share may be larger
// than theirs, and then all go sooner.
func (l *Limiter) enter(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.enter(w)
	l.line.wake()
}

// leave takes a waiter out of the line, unless it was served.
func (l *Limiter) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line.leave(w) {
		l.line.wake()
	}
}

// take lets a request go if it is its turn, or says how long to wait, as things stand.
func (l *Limiter) take(w *waiter) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	order := l.line.order()
	first, at := l.turn(now, order)
	if first != w {
		if !at.After(now) {
			first.wake()
		}
		// When first has gone, the others are woken.
		at = later(l.next(now, w.share, slices.Index(order, w)), now.Add(time.Second))
	}
	if wait := at.Sub(now); wait > 0 {
		return wait
	}
	l.inFlight++
	l.talk.used++
	l.last = now
	l.line.served(w)
	l.line.wake()
	return 0
}

// turn is who of those that wait goes next, and when. All go at the pace of the
// largest share: at its own, one with a small share would never be the next. But one
// whose share will be used up then is passed over.
func (l *Limiter) turn(now time.Time, order []*waiter) (*waiter, time.Time) {
	at := l.next(now, order[0].share, 0)
	for _, w := range order[1:] {
		at = earlier(at, l.next(now, w.share, 0))
	}
	for _, w := range order {
		if !l.known || l.over(at) || l.spare(at, w.share) > 0 {
			return w, at
		}
	}
	return order[0], at
}

// next is when a request may go before which others go.
func (l *Limiter) next(now time.Time, share float64, others int) time.Time {
	if l.hold.After(now) {
		return l.hold
	}
	fresh := l.window.ends.Add(slack + l.late)
	switch {
	case !l.known && l.silent && !l.limited:
		return now
	case !l.known:
		return l.nextUnknown(now)
	}
	if !now.Before(fresh) {
		// Presumably a new window. One request finds out what it holds.
		if l.inFlight > 0 && !l.last.Before(fresh) {
			return now.Add(time.Second) // its answer wakes who waits
		}
		return now
	}
	n := l.spare(now, share)
	if n <= others {
		return fresh
	}
	return l.last.Add(l.window.ends.Sub(l.last) / time.Duration(n+1) * time.Duration(others+1))
}

// spare is how many requests of a share may still go within the window.
func (l *Limiter) spare(now time.Time, share float64) int {
	return l.window.spare(share)/(1+l.peers(now)) - l.inFlight
}

// nextUnknown is next before any answer has shown the budget.
func (l *Limiter) nextUnknown(now time.Time) time.Time {
	if !now.Before(l.window.ends) {
		l.window = window{limit: unknownLimit, remaining: unknownLimit, ends: now.Add(windowLength)}
	}
	if l.window.remaining-l.inFlight <= 0 {
		return l.window.ends
	}
	return now
}

// learn takes over what an answer showed.
func (l *Limiter) learn(now time.Time, seen budget) {
	left := seen.left
	if left < -2*maxLate || left > maxPause {
		left, seen.sure, seen.reset = windowLength, false, 0
	}
	over := !l.known || l.over(now)
	same := l.known && seen.reset == l.window.reset
	switch {
	case over && same && seen.sure:
		// The window did not end when its Reset said.
		l.late = min(l.late+time.Second, maxLate)
		left = max(left, time.Second)
	case over, seen.reset > l.window.reset, seen.reset == 0 && seen.remaining > l.window.remaining:
	case seen.reset != 0 && seen.reset < l.window.reset-halfWindow:
		return // an answer that was overtaken by one of the next window
	default:
		// Date is cut to seconds and the answer took a while: every estimate
		// is too late, so the least is the best.
		l.window.limit = seen.limit
		l.window.remaining = min(l.window.remaining, seen.remaining)
		l.window.ends = earlier(l.window.ends, now.Add(max(left, 0)))
		return
	}
	l.begin(window{seen.reset, seen.limit, seen.remaining, now.Add(max(left, 0))})
	l.talk.used = 1 + l.inFlight
}

// begin takes a window for the org's current one.
func (l *Limiter) begin(w window) {
	l.known, l.window, l.talk.used = true, w, 0
}

// over reports whether the window is, with what we keep after its end.
func (l *Limiter) over(now time.Time) bool { return !now.Before(l.window.ends.Add(slack + l.late)) }

// spend counts a request whose answer did not show the budget.
func (l *Limiter) spend(now time.Time) {
	if l.known && l.over(now) {
		l.window.remaining, l.window.ends = l.window.limit, now.Add(windowLength)
	}
	l.window.remaining--
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Package limiter keeps the requests to an org within its rate limit, as the X-Rate-Limit
// headers of its answers show it, and distributes it fairly among the instances that wait. It
// sends nothing itself and retries nothing. Start reading at [Limiter].
package limiter

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Limiter keeps the requests to one org within its budget, whatever the number of
// instances on it. It learns the budget from every answer. The zero value is ready; it is
// safe for concurrent use.
//
// It spreads requests over the rest of the window; an org that was idle is asked at once.
// Waiting requests are served in turn. After a 429 it holds all requests back; after
// other failures it does not wait. An org whose answers show no budget is taken to be
// unlimited until it answers 429.
type Limiter struct {
	// Rand returns numbers in [0, 1), for jitter; nil: math/rand/v2.
	Rand func() float64

	// Exchange, unless nil, shares what this Limiter, called Replica, knows with the
	// Limiters of other processes that ask the org at Origin, and vice versa.
	Exchange        Exchange
	Origin, Replica string

	mu       sync.Mutex
	known    bool // the org has shown its window
	silent   bool // an answer other than 429 showed no budget
	limited  bool // an answer was 429
	window   window
	inFlight int
	last     time.Time     // when a request was last sent
	hold     time.Time     // no request before
	refusals int           // 429s in a row
	late     time.Duration // how late the org's windows have been observed to end
	line     line          // waiting requests
	whole    bool          // all of this process's requests in the window were counted
	began    uint64        // windows that have begun
	assumed  bool          // the window began, though no answer has shown it yet
	caps     map[pipeline.Credential]*credentialCap
	sharing  exchangeState
}

const (
	// unknownLimit is how many requests may be sent before any answer, and per minute after a
	// 429 that shows no budget: a quarter of Okta's smallest limit.
	unknownLimit = 5
	// slack after its end separates a window from the next: Reset may be cut to seconds.
	slack   = time.Second
	maxLate = 5 * time.Second
)

// Wait blocks until one request may be sent, and counts it as in flight: Observe or
// Failed must follow. Requests of a rank go in order of arrival, but one whose share is
// used up does not hold up a larger one. It returns only ctx's cause.
func (l *Limiter) Wait(ctx context.Context, r Request) error {
	w := &waiter{Request: r}
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

// Observe records the answer to a request. It returns the budget that the answer showed, if
// any, and the credential's cap.
func (l *Limiter) Observe(r Request, status int, h http.Header) (pipeline.RateLimit, bool) {
	now, seen := time.Now(), readBudget(h)
	limit, ok := seen.rateLimit()
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.line.wake()
	l.inFlight--
	l.sharing.untold = true
	if ok {
		c, before := l.capOf(r.Credential), l.began
		l.learn(now, seen)
		// The first answer of a window may be to a request of the one before.
		l.learnCap(now, c, r.Share, seen, status == http.StatusTooManyRequests && l.began == before)
		if most := c.within(limit.Limit); most > 0 {
			limit.Cap = &pipeline.Cap{Requests: most, Of: limit.Limit, Since: c.Since}
		}
	} else {
		l.spend(now)
	}
	l.silent = l.silent || !ok && status != http.StatusTooManyRequests
	l.limited = l.limited || status == http.StatusTooManyRequests
	l.holdBack(now, status, seen)
	return limit, ok
}

// Failed records a request without an answer; the org may have counted it.
func (l *Limiter) Failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.line.wake()
	l.inFlight--
	if l.known { // an org that has never answered has hardly counted it
		l.spend(time.Now())
	}
}

// InFlight returns the number of requests in flight.
func (l *Limiter) InFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight
}

// enter puts a waiter into the line and wakes the others: with a larger share all go sooner.
func (l *Limiter) enter(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.enter(w)
	l.line.wake()
}

// leave removes a waiter from the line, unless it was served.
func (l *Limiter) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line.leave(w) {
		l.line.wake()
	}
}

// take lets a request go if it is its turn, or returns how long to wait.
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
		// The others are woken when first has gone.
		at = pipeline.Later(l.next(now, w.Request, slices.Index(order, w)), now.Add(time.Second))
	}
	if wait := at.Sub(now); wait > 0 {
		return wait
	}
	l.inFlight++
	l.capOf(w.Credential).sent++
	l.sharing.used++
	l.last = now
	l.line.served(w)
	l.line.wake()
	return 0
}

// turn returns the waiter that goes next, and when. All go at the pace of the largest
// share: at its own pace, one with a small share would never be next. A waiter whose
// share will be used up by then is passed over.
func (l *Limiter) turn(now time.Time, order []*waiter) (*waiter, time.Time) {
	at := l.next(now, order[0].Request, 0)
	for _, w := range order[1:] {
		at = pipeline.Earlier(at, l.next(now, w.Request, 0))
	}
	for _, w := range order {
		if !l.known || l.over(at) || l.spare(at, w.Request) > 0 {
			return w, at
		}
	}
	return order[0], at
}

// next returns when a request may be sent if others go before it.
func (l *Limiter) next(now time.Time, r Request, others int) time.Time {
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
		// A new window has probably begun. One request finds out what it holds.
		if l.inFlight > 0 && !l.last.Before(fresh) {
			return now.Add(time.Second) // its answer wakes the waiters
		}
		return now
	}
	n := l.spare(now, r)
	if n <= others {
		return fresh
	}
	return l.last.Add(l.window.ends.Sub(l.last) / time.Duration(n+1) * time.Duration(others+1))
}

// spare returns how many requests like r may still be sent in this window.
func (l *Limiter) spare(now time.Time, r Request) int {
	peers := l.peers(now)
	n := l.window.spare(r.Share)/(1+peers) - l.inFlight
	if c := l.capOf(r.Credential); c.Requests > 0 {
		n = min(n, c.spare(now, l.window.limit, peers))
	}
	return n
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

// learn records the budget that an answer showed.
func (l *Limiter) learn(now time.Time, seen budget) {
	left := seen.left
	if left < -2*maxLate || left > maxPause {
		left, seen.sure, seen.reset = windowLength, false, 0
	}
	over := !l.known || l.over(now)
	same := l.known && seen.reset == l.window.reset
	switch {
	case over && same && seen.sure:
		// The window did not end at its Reset.
		l.late = min(l.late+time.Second, maxLate)
		left = max(left, time.Second)
	case over, seen.reset > l.window.reset, seen.reset == 0 && seen.remaining > l.window.remaining:
	case seen.reset != 0 && seen.reset < l.window.reset-halfWindow:
		return // the next window's answer has overtaken this one
	default:
		// Date is cut to seconds and the answer took time: the earliest estimate is the best.
		l.window.limit = seen.limit
		l.window.remaining = min(l.window.remaining, seen.remaining)
		l.window.ends = pipeline.Earlier(l.window.ends, now.Add(max(left, 0)))
		return
	}
	// What other processes sent in a window that was not seen before may have been ours.
	l.whole = l.known
	l.begin(now, window{seen.reset, seen.limit, seen.remaining, now.Add(max(left, 0))})
	l.sharing.used = 1 + l.inFlight
}

func (l *Limiter) begin(now time.Time, w window) {
	switch sent := l.inFlight + 1; {
	case !l.whole:
		l.countAnew(now, max(w.limit-w.remaining, sent))
	case !l.assumed && !w.same(l.window):
		l.countAnew(now, sent)
	}
	l.began++
	l.known, l.assumed, l.window, l.sharing.used = true, false, w, 0
}

// over reports whether the window has ended, slack and lateness included.
func (l *Limiter) over(now time.Time) bool { return !now.Before(l.window.ends.Add(slack + l.late)) }

// spend counts a request whose answer did not show the budget.
func (l *Limiter) spend(now time.Time) {
	if l.known && l.over(now) {
		l.countAnew(now, l.inFlight+1)
		l.assumed = true
		l.window.remaining, l.window.ends = l.window.limit, now.Add(windowLength)
	}
	l.window.remaining--
}

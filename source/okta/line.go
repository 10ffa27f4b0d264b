package okta

import (
	"slices"
	"time"
)

// line holds the requests that wait for a Limiter, in the order in which they go: those
// at the head of the log, then those that drain, then those for the past; first come,
// first served within a rank. So that none starves, after every eight requests of the
// head one of the others goes; and of these one for the past after every eight that went
// past it.
type line struct {
	ranks  [3][]*waiter
	heads  int // head requests that have gone past others since one of these went
	passed int // requests that have gone past one for the past, up to the newest drain
}

// rank is the urgency of a request.
type rank int

const (
	head  rank = iota // at the head of the log: it may bring the newest events
	drain             // for events known to be waiting
	past
)

// mostPassed is how many requests go past those of a lower rank.
const mostPassed = 8

// waiter is one waiting request.
type waiter struct {
	share float64
	rank  rank
	long  func(until time.Time) // called on a long wait; nil: not called
	told  time.Time             // the time it was last called with
	look  chan struct{}         // something has changed
}

// longWait is the shortest wait that is reported, and the least change that is reported
// again.
const longWait = 5 * time.Second

// enter appends a waiter to its rank.
func (l *line) enter(w *waiter) {
	w.look = make(chan struct{}, 1)
	l.ranks[w.rank] = append(l.ranks[w.rank], w)
}

// leave removes a waiter and reports whether it was there.
func (l *line) leave(w *waiter) bool {
	at := slices.Index(l.ranks[w.rank], w)
	if at >= 0 {
		l.ranks[w.rank] = slices.Delete(l.ranks[w.rank], at, at+1)
	}
	return at >= 0
}

// served removes a waiter whose request goes.
func (l *line) served(w *waiter) {
	l.leave(w)
	switch w.rank {
	case head:
		l.heads++
	case drain:
		l.heads, l.passed = 0, l.passed+l.heads+1
	case past:
		l.heads, l.passed = 0, 0
	}
	if len(l.ranks[past]) == 0 {
		l.passed = 0
	}
	if len(l.ranks[drain])+len(l.ranks[past]) == 0 {
		l.heads = 0
	}
}

// order returns all waiters, the next one first.
func (l *line) order() []*waiter {
	heads, others, last := l.ranks[head], l.ranks[drain], l.ranks[past]
	if l.passed >= mostPassed {
		others, last = last, others
	}
	if l.heads >= mostPassed {
		return slices.Concat(others, last, heads)
	}
	return slices.Concat(heads, others, last)
}

// wake makes all waiters look again.
func (l *line) wake() {
	for _, waiters := range l.ranks {
		for _, w := range waiters {
			w.wake()
		}
	}
}

func (w *waiter) wake() {
	select {
	case w.look <- struct{}{}:
	default: // it is going to look anyway
	}
}

// tell reports when a long wait is expected to end.
func (w *waiter) tell(wait time.Duration) {
	until := time.Now().Add(wait)
	if w.long == nil || wait < longWait || until.Sub(w.told).Abs() < longWait {
		return
	}
	w.told = until
	w.long(until)
}

package okta

import (
	"slices"
	"time"
)

// line is who waits for a Limiter, in the order in which they go: those at the head
// of the log before those that drain, and these before what asks for the past; first
// come, first served within a rank. So that nobody starves, after every eight of the
// head one of the others goes; and of these one of the past, after eight that went past it.
type line struct {
	ranks  [3][]*waiter
	heads  int // that went past others, since one of these went
	passed int // those that went past one of the past, up to the newest drain
}

// rank is how urgent a request is.
type rank int

const (
	head  rank = iota // of the log: it may bring what happened just now
	drain             // of what is known to wait there
	past
)

// mostPassed is how many go past those of a lower rank.
const mostPassed = 8

// waiter is one request that waits.
type waiter struct {
	share float64
	rank  rank
	long  func(until time.Time) // is told of a long wait; nil: nobody is
	told  time.Time             // what it was told
	look  chan struct{}         // something has changed
}

// longWait is how long a wait is that is worth telling, and how much it has to
// change to be told again.
const longWait = 5 * time.Second

// enter puts a waiter behind all others of its rank.
func (l *line) enter(w *waiter) {
	w.look = make(chan struct{}, 1)
	l.ranks[w.rank] = append(l.ranks[w.rank], w)
}

// leave takes a waiter out, wherever it stands, and reports whether it was there.
func (l *line) leave(w *waiter) bool {
	at := slices.Index(l.ranks[w.rank], w)
	if at >= 0 {
		l.ranks[w.rank] = slices.Delete(l.ranks[w.rank], at, at+1)
	}
	return at >= 0
}

// served takes out a waiter whose request goes.
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

// order is all who wait, whose turn it is first.
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

// wake lets all who wait look again.
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
	default: // it will look anyway
	}
}

// tell says when a long wait will be over, as things stand.
func (w *waiter) tell(wait time.Duration) {
	until := time.Now().Add(wait)
	if w.long == nil || wait < longWait || until.Sub(w.told).Abs() < longWait {
		return
	}
	w.told = until
	w.long(until)
}

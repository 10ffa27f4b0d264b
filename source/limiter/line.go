package limiter

import (
	"slices"
	"time"

	"github.com/witfoo/signal-client/pipeline"
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

// Request is a request to an org.
type Request struct {
	Share float64 // the part of the org's limit that it keeps to, above 0, at most 1
	Rank  Rank    // its urgency
	// Credential has a part of the limit of its own, its cap, beside the org's limit; nil: none.
	Credential pipeline.Credential
	Waits      func(until time.Time) // called when it has to wait for long; nil: not called
}

// Rank is the urgency of a request.
type Rank int

const (
	Head  Rank = iota // at the head of the log: it may bring the newest events
	Drain             // for events known to be waiting
	Past              // for events of the past
)

// mostPassed is how many requests go past those of a lower rank.
const mostPassed = 8

// waiter is one waiting request.
type waiter struct {
	Request
	told time.Time     // the time that Waits was last called with
	look chan struct{} // something has changed
}

// longWait is the shortest wait, and the least change of one, that is reported.
const longWait = 5 * time.Second

func (l *line) enter(w *waiter) {
	w.look = make(chan struct{}, 1)
	l.ranks[w.Rank] = append(l.ranks[w.Rank], w)
}

func (l *line) leave(w *waiter) bool {
	at := slices.Index(l.ranks[w.Rank], w)
	if at >= 0 {
		l.ranks[w.Rank] = slices.Delete(l.ranks[w.Rank], at, at+1)
	}
	return at >= 0
}

func (l *line) served(w *waiter) {
	l.leave(w)
	switch w.Rank {
	case Head:
		l.heads++
	case Drain:
		l.heads, l.passed = 0, l.passed+l.heads+1
	case Past:
		l.heads, l.passed = 0, 0
	}
	if len(l.ranks[Past]) == 0 {
		l.passed = 0
	}
	if len(l.ranks[Drain])+len(l.ranks[Past]) == 0 {
		l.heads = 0
	}
}

// order returns all waiters, the next one first.
func (l *line) order() []*waiter {
	heads, others, last := l.ranks[Head], l.ranks[Drain], l.ranks[Past]
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
	if w.Waits == nil || wait < longWait || until.Sub(w.told).Abs() < longWait {
		return
	}
	w.told = until
	w.Waits(until)
}

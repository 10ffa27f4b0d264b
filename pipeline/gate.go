package pipeline

import (
	"container/list"
	"context"
	"sync"
)

// Gate bounds what is in use at once: requests, open batches, bytes of pages. The zero
// value counts without a bound; a nil Gate does not even count. It is safe for concurrent
// use. Its fields must not change after the first Take.
//
// When it is full, callers wait in a line. Callers that are not draining go before those
// that are, so that an org that catches up for hours does not hold up one that brings an
// event now and then; after every eight of them one that is draining goes. Within a line
// the order is first come, first served, whatever the size.
type Gate struct {
	Capacity int64 // 0: no bound

	// Spare is the part of Capacity that only a growing Grant may use, one at a time, so
	// that growing Grants never wait for each other for ever. As long as no Grant is
	// larger than Spare, and none larger than the rest of Capacity is asked for, no more
	// than Capacity is in use.
	Spare int64

	mu     sync.Mutex
	used   int64
	over   *Grant       // the Grant that uses Spare; nil: none
	lines  [3]list.List // of *waiter
	passed int          // how many have gone past a draining caller since the last draining one went
}

// Grant is one user's share of a Gate; nil holds nothing. One goroutine at a time uses it.
type Grant struct {
	gate *Gate
	size int64
}

// The lines of a Gate, in the order of precedence.
const (
	growing = iota // holders that others wait for
	quiet
	draining
)

// patience is how many callers may go past a draining one.
const patience = 8

type waiter struct {
	line  int
	grant *Grant
	more  int64         // what it asks for
	in    bool          // admitted
	wake  chan struct{} // closed on admission
}

// Take waits until n may be used, or until nothing is in use: a size beyond the bound is
// admitted alone. The Grant must be released. drains puts the caller behind all that
// don't drain. The error is ctx's cause; then there is no Grant.
func (g *Gate) Take(ctx context.Context, n int64, drains bool) (*Grant, error) {
	if g == nil {
		return nil, context.Cause(ctx)
	}
	w := &waiter{line: quiet, grant: &Grant{gate: g}, more: n}
	if drains {
		w.line = draining
	}
	if err := g.enter(ctx, w); err != nil {
		return nil, err
	}
	return w.grant, nil
}

// Used returns how much is in use.
func (g *Gate) Used() int64 {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used
}

// Waiting returns how many callers wait.
func (g *Gate) Waiting() int {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lines[growing].Len() + g.lines[quiet].Len() + g.lines[draining].Len()
}

// Resize changes the Grant's size to n. Growing may have to wait, but goes before all
// callers that have no Grant yet. The error is ctx's cause; then the Grant is unchanged.
func (t *Grant) Resize(ctx context.Context, n int64) error {
	if t == nil {
		return context.Cause(ctx)
	}
	if n <= t.size {
		t.gate.give(t, t.size-n)
		return nil
	}
	return t.gate.enter(ctx, &waiter{line: growing, grant: t, more: n - t.size})
}

// Release returns everything that the Grant holds. Further calls do nothing.
func (t *Grant) Release() {
	if t != nil {
		t.gate.give(t, t.size)
	}
}

// enter waits until w is admitted.
func (g *Gate) enter(ctx context.Context, w *waiter) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	place := g.queue(w)
	if place == nil {
		return nil
	}
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		g.leave(place)
		return context.Cause(ctx)
	}
}

// queue puts w into its line. It returns nil if w was admitted at once.
func (g *Gate) queue(w *waiter) *list.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	line := &g.lines[w.line]
	place := line.PushBack(w)
	if g.over == w.grant {
		line.MoveToFront(place) // the others wait for it
	}
	g.admit()
	if w.in {
		return nil
	}
	w.wake = make(chan struct{})
	return place
}

// leave gives up a place in a line, or what was granted a moment ago.
func (g *Gate) leave(place *list.Element) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := place.Value.(*waiter)
	if w.in {
		g.shrink(w.grant, w.more)
	} else {
		g.lines[w.line].Remove(place)
	}
	g.admit()
}

func (g *Gate) give(t *Grant, n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shrink(t, n)
	g.admit()
}

func (g *Gate) shrink(t *Grant, n int64) {
	t.size -= n
	g.used -= n
	if g.used <= g.Capacity-g.Spare {
		g.over = nil
	}
}

func (g *Gate) admit() {
	for {
		place := g.next()
		if place == nil {
			return
		}
		w := place.Value.(*waiter)
		if !g.fits(w) {
			return
		}
		g.lines[w.line].Remove(place)
		g.let(w)
	}
}

func (g *Gate) next() *list.Element {
	first := func(line int) *list.Element { return g.lines[line].Front() }
	switch {
	case first(growing) != nil:
		return first(growing)
	case first(quiet) == nil, first(draining) != nil && g.passed >= patience:
		return first(draining)
	}
	return first(quiet)
}

func (g *Gate) fits(w *waiter) bool {
	switch {
	case g.Capacity == 0, g.used+w.more <= g.Capacity-g.Spare:
		return true
	case w.line == growing:
		return g.over == nil || g.over == w.grant
	}
	return g.used == 0
}

func (g *Gate) let(w *waiter) {
	w.grant.size += w.more
	g.used += w.more
	if g.Capacity > 0 && g.used > g.Capacity-g.Spare {
		g.over = w.grant
	}
	switch {
	case w.line == draining:
		g.passed = 0
	case w.line == quiet && g.lines[draining].Len() > 0:
		g.passed++
	}
	w.in = true
	if w.wake != nil {
		close(w.wake)
	}
}

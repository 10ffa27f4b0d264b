package pipeline

import (
	"container/list"
	"context"
	"sync"
)

// Gate keeps what is in use at once within a bound: requests, open batches, bytes
// of pages. Its zero value counts and bounds nothing; a nil one does not even
// count. It is safe for concurrent use. Its fields must not change after the
// first Take.
//
// Whoever finds it full waits in a line. Those who are not draining go before those
// who are: an org that catches up for hours does not hold up one that brings an
// event now and then. After every eight of them one goes who drains, so that it
// gets on as well. Within a line nobody overtakes, however little it asks for.
type Gate struct {
	Capacity int64 // 0: no bound

	// Spare is the part of Capacity that only a Grant that grows may use, one at
	// a time, so that those that grow can't wait for each other for ever. While no
	// Grant is larger than Spare, and none is asked for that is larger than the rest
	// of Capacity, no more than Capacity is in use.
	Spare int64

	mu     sync.Mutex
	used   int64
	over   *Grant       // the one by which used is beyond Capacity - Spare; nil: it is not
	lines  [3]list.List // of *waiter
	passed int          // those who went past one who drains, since one such went
}

// Grant is what one user has of a Gate. A nil Grant holds nothing. It is used by
// one goroutine at a time.
type Grant struct {
	gate *Gate
	size int64
}

// The lines of a Gate, in the order in which they go.
const (
	growing = iota // they hold what others wait for
	quiet
	draining
)

// patience is how many go past one who drains.
const patience = 8

// waiter is one who stands in a line.
type waiter struct {
	line  int
	grant *Grant
	more  int64         // that it asks for
	in    bool          // it was let in
	wake  chan struct{} // closed then
}

// Take waits until n may be used, or nothing is in use: what is larger than the
// bound goes in alone. The Grant must be released. drains puts the caller behind
// all who don't. The error is ctx's cause, and then there is no Grant.
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

// Used is how much is in use.
func (g *Gate) Used() int64 {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used
}

// Waiting is how many wait.
func (g *Gate) Waiting() int {
	if g == nil {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lines[growing].Len() + g.lines[quiet].Len() + g.lines[draining].Len()
}

// Resize makes the Grant one of n. To grow may have to wait, but before all who
// have nothing yet. The error is ctx's cause, and then the Grant is as it was.
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

// Release gives back all that the Grant holds. Again it does nothing.
func (t *Grant) Release() {
	if t != nil {
		t.gate.give(t, t.size)
	}
}

// enter waits until w is let in.
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

// queue puts w into its line. It returns nil if w was let in at once.
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

// leave gives up a place in a line, or what was granted just now.
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

// admit lets in all who may go.
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

// next is whose turn it is.
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

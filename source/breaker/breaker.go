// Package breaker keeps a refused credential, or an org that fails, from being
// hammered. It is sony/gobreaker round any pipeline.Source, with an open time that
// doubles.
//
// It does not remember across processes: after a restart a refused credential
// is tried once more. It does not wait, either: that is its caller's.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/witfoo/signal-client/pipeline"
)

const (
	// failures is how many transient errors in a row open a breaker.
	failures = 5
	// The open time doubles from leastOpen to mostOpen; up to a tenth is added
	// to it by chance, so that instances of one origin don't probe at once.
	leastOpen = 30 * time.Second
	mostOpen  = 15 * time.Minute
)

// A Breaker's states, as STATUS and metrics name them.
const (
	Closed   = "closed"
	Open     = "open"
	HalfOpen = "half-open"
)

// Breaker is a pipeline.Source that stops asking a source that refuses or
// fails: a refused credential opens it at once, five transient errors in a row
// do. Errors that are no failure of the org (a budget used up, a cursor refused,
// a configuration error, the caller's own end) count neither way. When its open
// time is over one request is let through: its success closes the breaker, its
// failure opens it for twice as long.
//
// It outlives the runner that polls through it; a changed credential deserves a
// new one. State is safe for concurrent use; Poll is as far as the source's is.
type Breaker struct {
	// Rand returns numbers in [0, 1), for jitter; nil: math/rand/v2. It
	// must not change after the first Poll.
	Rand func() float64

	instance string
	source   pipeline.Source
	trace    *pipeline.Trace

	mu       sync.Mutex
	current  *gobreaker.CircuitBreaker[pipeline.Page]
	openings int       // in a row
	until    time.Time // when the source may be asked again
	why      error     // what opened it
	try      bool      // the next request is let through, open or not
	told     string    // the state that the trace was last told
}

var _ pipeline.Source = (*Breaker)(nil)

// Wrap puts a breaker, closed, round a source. trace may be nil; its hook
// Breaker is called with instance on each change.
func Wrap(instance string, source pipeline.Source, trace *pipeline.Trace) *Breaker {
	return &Breaker{instance: instance, source: source, trace: trace, current: closed(leastOpen), told: Closed}
}

// Poll asks the source, unless the breaker is open: then it returns a
// *pipeline.NotBefore whose error matches the one that opened it. So does the
// call that opens it.
func (b *Breaker) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	current, try := b.begin()
	if try {
		return b.pass(ctx, link)
	}
	page, err := current.Execute(func() (pipeline.Page, error) {
		page, err := b.source.Poll(ctx, link)
		return page, judge(ctx, err)
	})
	verdict, isVerdict := errors.AsType[verdict](err)
	if err != nil && !isVerdict {
		return pipeline.Page{}, b.notBefore()
	}
	return page, b.end(current, verdict.error)
}

// Try has the next request let through even while the breaker is open: somebody who
// may have mended what opened it wants to know. It is safe for concurrent use.
func (b *Breaker) Try() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.try = true
}

// pass asks the source past an open breaker. Its success closes the breaker; a
// failure leaves it open for as long as it was.
func (b *Breaker) pass(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	page, err := b.source.Poll(ctx, link)
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.tell()
	said, failed := errors.AsType[verdict](judge(ctx, err))
	switch {
	case !failed:
		b.current, b.openings, b.why = closed(leastOpen), 0, nil
	case !said.excluded:
		b.why = err
		err = &pipeline.NotBefore{At: b.until, Err: err}
	}
	return page, err
}

// State returns Closed, Open or HalfOpen.
func (b *Breaker) State() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current.State().String()
}

// begin returns the breaker to ask through, or says that it is to be passed, and tells
// of one that has become half open.
func (b *Breaker) begin() (current *gobreaker.CircuitBreaker[pipeline.Page], pass bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tell()
	pass = b.try && b.current.State() == gobreaker.StateOpen
	b.try = false
	return b.current, pass
}

// end takes note of how a request ended, and returns its error. A breaker that
// opened makes way for one that stays open for longer.
func (b *Breaker) end(current *gobreaker.CircuitBreaker[pipeline.Page], err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.tell()
	if err == nil {
		b.openings, b.why = 0, nil
		return nil
	}
	if current != b.current || current.State() != gobreaker.StateOpen {
		return err
	}
	b.open(err)
	return &pipeline.NotBefore{At: b.until, Err: err}
}

func (b *Breaker) open(err error) {
	took := min(leastOpen<<min(b.openings, 10), mostOpen)
	took += time.Duration(b.random() * float64(took) / 10)
	b.openings++
	b.why = err
	b.current = opened(took)
	// gobreaker lets a request through only after its time, not at it.
	b.until = time.Now().Add(took + time.Millisecond)
}

func (b *Breaker) random() float64 {
	if b.Rand != nil {
		return b.Rand()
	}
	return rand.Float64()
}

// notBefore is the answer while nothing may be asked.
func (b *Breaker) notBefore() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.until
	if now := time.Now(); !at.After(now) {
		at = now.Add(time.Second) // another's probe is under way
	}
	return &pipeline.NotBefore{At: at, Err: fmt.Errorf("breaker is %s: %w", b.current.State(), b.why)}
}

// tell tells the trace when the state has changed.
func (b *Breaker) tell() {
	state := b.current.State().String()
	if state == b.told {
		return
	}
	b.told = state
	if b.trace != nil && b.trace.Breaker != nil {
		b.trace.Breaker(b.instance, state, errors.Is(b.why, pipeline.ErrCredential))
	}
}

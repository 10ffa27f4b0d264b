// Package breaker protects a refused credential, or a failing org, from repeated
// requests. It wraps any pipeline.Source in sony/gobreaker, with an open time that
// doubles.
//
// It has no memory across processes: after a restart a refused credential is tried once
// more. It does not wait; its caller does. Start reading at [Breaker.Poll].
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
	// The open time doubles from leastOpen to mostOpen. Up to a tenth is added at random,
	// so that instances of one origin don't probe at the same time.
	leastOpen = 30 * time.Second
	mostOpen  = 15 * time.Minute
)

// States of a Breaker, as STATUS and metrics name them.
const (
	Closed   = "closed"
	Open     = "open"
	HalfOpen = "half-open"
)

// Breaker is a pipeline.Source that stops asking a source that refuses or fails: a
// refused credential opens it at once, other failures after five transient errors in a
// row. Errors that are not the org's failure (budget used up, cursor refused,
// configuration error, cancellation by the caller) count neither way. When the open time
// is over one request is let through: success closes the breaker, failure opens it for
// twice as long.
//
// It outlives the runner that polls through it; after a change of credential, make a new
// one. Poll is as safe for concurrent use as the source's.
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
	why      error     // the error that opened it
	try      bool      // let the next request through, even while open
	told     string    // the state last reported to the trace
}

var _ pipeline.Source = (*Breaker)(nil)

// Wrap returns a closed Breaker around a source. trace may be nil; its hook Breaker is
// called with instance on each change of state.
func Wrap(instance string, source pipeline.Source, trace *pipeline.Trace) *Breaker {
	return &Breaker{instance: instance, source: source, trace: pipeline.Traces(trace), current: closed(leastOpen), told: Closed}
}

// Poll asks the source. While the breaker is open, and on the failure that opens it, the
// error is a *pipeline.NotBefore that wraps the error which opened the breaker.
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

// Try lets the next request through even while the breaker is open, because somebody may
// have fixed the cause. It is safe for concurrent use.
func (b *Breaker) Try() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.try = true
}

// pass asks the source although the breaker is open. Success closes the breaker; failure
// leaves the open time unchanged.
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

// begin returns the breaker to ask through, or says that it is bypassed. It reports a
// breaker that has become half open.
func (b *Breaker) begin() (current *gobreaker.CircuitBreaker[pipeline.Page], pass bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tell()
	pass = b.try && b.current.State() == gobreaker.StateOpen
	b.try = false
	return b.current, pass
}

// end records the outcome of a request and returns its error. A breaker that has opened
// is replaced by one with a longer open time.
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
	// gobreaker lets a request through only after its open time, not at its end.
	b.until = time.Now().Add(took + time.Millisecond)
}

func (b *Breaker) random() float64 {
	if b.Rand != nil {
		return b.Rand()
	}
	return rand.Float64()
}

// notBefore returns the error of a request that was not sent.
func (b *Breaker) notBefore() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.until
	if now := time.Now(); !at.After(now) {
		at = now.Add(time.Second) // a concurrent probe is in flight
	}
	return &pipeline.NotBefore{At: at, Err: fmt.Errorf("breaker is %s: %w", b.current.State(), b.why)}
}

func (b *Breaker) tell() {
	state := b.current.State().String()
	if state != b.told {
		b.told = state
		b.trace.Breaker(b.instance, state, errors.Is(b.why, pipeline.ErrCredential))
	}
}

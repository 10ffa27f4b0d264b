package fleet

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// assignment is what is to be done with an instance. A newer order replaces it.
type assignment struct {
	pipeline.Entry
	claim pipeline.Claim
	gone  bool // the integration was deleted
}

// assign returns the order for an entry.
func assign(name string, e pipeline.Entry, key string) *assignment {
	e.Integration.Instance = name
	return &assignment{Entry: e, claim: pipeline.Claim{Kind: e.Integration.Kind, Instance: name, Key: key, Origin: e.Integration.Origin}}
}

func (o *assignment) runs() bool { return !o.gone && o.Err == nil && o.Integration.Enabled }

// same reports whether the orders mean the same for a poll. Errors are compared by text,
// because each reading makes new ones.
func (o *assignment) same(p *assignment) bool {
	if o.gone != p.gone || o.claim != p.claim {
		return false
	}
	if o.Err != nil || p.Err != nil {
		return o.Err != nil && p.Err != nil && o.Err.Error() == p.Err.Error()
	}
	return reflect.DeepEqual(polled(o.Integration), polled(p.Integration))
}

// polled clears the fields that don't matter to a poll.
func polled(i pipeline.Integration) pipeline.Integration {
	i.Name = "" // for people only
	i.Since.Moment = i.Since.Moment.UTC()
	return i
}

// member is one instance of a fleet. All but set is called by its own goroutine, in order.
type member struct {
	*Fleet
	name    string
	order   atomic.Pointer[assignment] // the newest
	mu      sync.Mutex                 // held while order is replaced
	watch   *watch                     // the innermost one that the order may end; nil: none
	left    <-chan struct{}            // closed when run has returned
	log     *slog.Logger
	backoff pipeline.Backoff

	declined *assignment   // the order that this process declined; nil: none
	until    time.Time     // when it may be tried again
	patience time.Duration // length of the last decline
	unable   time.Time     // since when the org can't be polled from here; zero: it can

	said failure // the last failure logged at level error
}

// set replaces the order, unless the new one means the same.
func (m *member) set(o *assignment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.order.Load().same(o) {
		return
	}
	m.order.Store(o)
	for w := m.watch; w != nil; w = w.outer {
		w.look(o)
	}
}

// watch is a context that lasts while the newest order is acceptable.
type watch struct {
	accepts func(*assignment) bool
	cancel  context.CancelCauseFunc
	outer   *watch
}

// look ends the context with cause ErrChanged if the order is not acceptable.
func (w *watch) look(newest *assignment) {
	if !w.accepts(newest) {
		w.cancel(pipeline.ErrChanged)
	}
}

// run follows the orders until the instance is deleted or ctx ends.
func (m *member) run(ctx context.Context) {
	for ctx.Err() == nil {
		o := m.order.Load()
		m.accept(o)
		if o.runs() {
			m.contend(ctx, o.claim)
			continue
		}
		m.rest(o)
		if o.gone {
			return
		}
		unchanged, stop := m.while(ctx, func(newest *assignment) bool { return newest == o })
		<-unchanged.Done()
		stop()
	}
}

// rest logs and reports why the instance is not polled.
func (m *member) rest(o *assignment) {
	switch {
	case o.gone:
		m.log.Info("integration deleted")
		m.Report(o.Integration, "", nil)
	case o.Err != nil:
		m.log.Error("configuration error", "err", o.Err)
		m.Report(o.Integration, pipeline.StateConfig, o.Err)
	default:
		m.log.Info("integration disabled")
		m.Report(o.Integration, pipeline.StateDisabled, nil)
	}
	m.backoff.Reset()
}

// contend waits for the lock, and polls while it is held and the orders allow it. After a
// failure it releases the lock and waits until the next try is due or a new order
// arrives. After a handover it claims the lock again at once.
func (m *member) contend(ctx context.Context, claim pipeline.Claim) {
	declined := m.declined
	claimed := func(o *assignment) bool { return o.runs() && o.claim == claim && (declined == nil || o == declined) }
	wanted, stop := m.while(ctx, claimed)
	tried, handed := m.order.Load(), false
	err := m.Locks.Hold(wanted, claim, func(held context.Context) {
		tried = m.hold(held, claimed)
		handed = errors.Is(context.Cause(held), pipeline.ErrHandover)
	})
	ended := wanted.Err() != nil || !claimed(m.order.Load())
	stop()
	if ended || handed {
		return
	}
	switch {
	case errors.Is(err, pipeline.ErrConfig):
		m.refuse(tried, err)
	case err != nil:
		m.log.Warn("lock not held", "err", err)
	}
	pause, stop := m.while(ctx, func(o *assignment) bool { return o == tried })
	defer stop()
	if errors.Is(pipeline.Sleep(pause, m.backoff.Next()), pipeline.ErrChanged) {
		m.backoff.Reset()
	}
}

// while returns a context that ends with cause ErrChanged once the newest order is not
// acceptable. The contexts of a member are nested: the one made last is stopped first.
func (m *member) while(ctx context.Context, accepts func(*assignment) bool) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &watch{accepts, cancel, m.watch}
	m.watch = w
	w.look(m.order.Load())
	return ctx, func() {
		cancel(nil)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.watch = w.outer
	}
}

// steady is how long a poll must run to count as one that did not fail at once.
const steady = time.Minute

// hold polls by the newest order until held ends, the lock was claimed for another order,
// or a poll returns by itself. It returns the last order that it followed.
func (m *member) hold(held context.Context, claimed func(*assignment) bool) *assignment {
	for {
		o := m.order.Load()
		if held.Err() != nil || !claimed(o) {
			m.release(held, o)
			return o
		}
		m.accept(o)
		started := time.Now()
		ctx, stop := m.while(held, func(newest *assignment) bool { return newest == o })
		err := m.Poll(ctx, o.Integration, func(err error) { m.able(o, err) })
		stop()
		changed := m.order.Load() != o
		if changed && m.order.Load().runs() {
			m.log.Info("integration changed")
		}
		if changed || time.Since(started) >= steady && m.unable.IsZero() {
			m.backoff.Reset()
			m.until, m.patience, m.said = time.Time{}, 0, failure{}
		}
		if !changed && held.Err() == nil {
			m.fail(o, err)
			m.decline(o, err)
			return o
		}
	}
}

// release reports StateUnowned while this process still holds the lock, so that the next
// holder's report comes later. After a lost lock, a handover or a new order it reports
// nothing: somebody else reports for the instance.
func (m *member) release(held context.Context, o *assignment) {
	switch cause := context.Cause(held); {
	case errors.Is(cause, pipeline.ErrSessionLost):
		m.log.Info("lock lost", "cause", cause)
	case errors.Is(cause, pipeline.ErrLockLost):
		m.log.Warn("lock lost")
	case errors.Is(cause, pipeline.ErrHandover):
		m.log.Info("handed over", "cause", cause)
	case cause != nil && !errors.Is(cause, pipeline.ErrChanged):
		m.Report(o.Integration, pipeline.StateUnowned, nil)
	}
}

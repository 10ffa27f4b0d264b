// Package fleet decides which instances this process polls: it follows the integrations,
// contends for the lock of each enabled one, and polls while it holds it. Which process
// gets a lock is decided by pipeline.Locks; how an instance is polled, by
// pipeline.Runner. Start reading at [Fleet].
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/witfoo/signal-client/pipeline"
)

// Fleet polls every enabled integration whose lock this process gets. Each instance has
// its own goroutine, so that a broken or failing one never disturbs the others; ten
// thousand of them are fine.
//
// It does not make anything exact: a lock saves requests, the sink's fence keeps events
// exact.
type Fleet struct {
	Integrations pipeline.Integrations  // nil: only Static
	Locks        pipeline.Locks         // stored instances are distributed by their origins
	Static       []pipeline.Integration // polled by the first process to lock them; a stored one of the same name wins

	// Poll polls one instance until ctx ends. When it returns by itself, the lock is
	// released and, after a Backoff, claimed again. After an error that matches ErrConfig
	// or ErrNewer other processes have precedence for 5 min, then 10, up to an hour, or
	// until the integration changes. When the integration changes, ctx ends with cause
	// ErrChanged and Poll is called with the new one; the lock is kept unless the origin
	// changed.
	//
	// Poll calls able, from its own goroutine, whenever it learns whether the org can be
	// polled from here: with nil, or with the reason why not. After a minute of refusals
	// other processes have precedence in the same way; Poll continues until one of them
	// takes over.
	Poll func(ctx context.Context, i pipeline.Integration, able func(error)) error

	// Report, unless nil, is called with states that Poll can't report: StateDisabled;
	// StateConfig with the reason; StateConfig, StateRefused or StateRetrying with the
	// error that Poll returned; StateUnowned when this process ends and releases the
	// instance; and the empty State when the integration was deleted: i is what it was. Of
	// an invalid one only Kind and Instance are set. Calls for one instance are sequential
	// and never during its Poll; calls for several instances are concurrent. The contexts of
	// the polls may have ended.
	Report func(i pipeline.Integration, state pipeline.State, err error)

	Log     *slog.Logger     // nil: discarded
	Backoff pipeline.Backoff // after a failed Poll or lock; its Rand must be safe for concurrent use
}

func (f *Fleet) withDefaults() *Fleet {
	c := *f
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Report == nil {
		c.Report = func(pipeline.Integration, pipeline.State, error) {}
	}
	return &c
}

// Run watches the integrations and polls until ctx ends and all polls have ended; then it
// returns nil. Its only error is a Static that names an instance twice.
func (f *Fleet) Run(ctx context.Context) error {
	static, err := f.static()
	if err != nil {
		return err
	}
	c := &group{Fleet: f.withDefaults(), static: static, members: map[string]*member{}, leaving: map[string]<-chan struct{}{}}
	defer c.wg.Wait()
	if c.Integrations == nil {
		c.apply(ctx, nil)
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		// The members go on polling while a broken watch is set up again.
		err := c.Integrations.Watch(ctx, func(entries map[string]pipeline.Entry) {
			c.Backoff.Reset()
			c.apply(ctx, entries)
		})
		if ctx.Err() == nil {
			c.Log.Error("watching integrations ended", "err", err)
			_ = pipeline.Sleep(ctx, c.Backoff.Next())
		}
	}
	return nil
}

func (f *Fleet) static() (map[string]pipeline.Entry, error) {
	static := make(map[string]pipeline.Entry, len(f.Static))
	for _, i := range f.Static {
		if _, twice := static[i.Instance]; twice {
			return nil, fmt.Errorf("instance %s is configured twice (rename one)", i.Instance)
		}
		static[i.Instance] = pipeline.Entry{Integration: i}
	}
	return static, nil
}

// group is the state of a running Fleet. Only the watch's goroutine touches its maps.
type group struct {
	*Fleet
	static  map[string]pipeline.Entry
	members map[string]*member         // by instance
	leaving map[string]<-chan struct{} // closed when a deleted instance's goroutine has ended
	wg      sync.WaitGroup
}

// apply starts, changes and ends members to match the entries.
func (c *group) apply(ctx context.Context, stored map[string]pipeline.Entry) {
	maps.DeleteFunc(c.leaving, func(_ string, left <-chan struct{}) bool { return isClosed(left) })
	orders := make(map[string]*assignment, len(c.static)+len(stored))
	for name, e := range c.static {
		orders[name] = assign(name, e, "")
	}
	for name, e := range stored {
		orders[name] = assign(name, e, e.Integration.Origin)
	}
	for name, m := range c.members {
		if orders[name] == nil {
			m.set(&assignment{Entry: m.order.Load().Entry, gone: true})
			delete(c.members, name)
			c.leaving[name] = m.left
		}
	}
	for name, o := range orders {
		if m := c.members[name]; m != nil {
			m.set(o)
			continue
		}
		c.join(ctx, name, o)
	}
}

// join starts an instance's goroutine. Invariant: an instance never has more than one; a
// deleted instance that returns waits until its former goroutine has ended.
func (c *group) join(ctx context.Context, name string, first *assignment) {
	left := make(chan struct{})
	m := &member{Fleet: c.Fleet, name: name, left: left, log: c.Log.With("instance", name), backoff: c.Backoff}
	m.order.Store(first)
	c.members[name] = m
	before := c.leaving[name]
	delete(c.leaving, name)
	c.wg.Go(func() {
		defer close(left)
		if before != nil {
			<-before
		}
		m.run(ctx)
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

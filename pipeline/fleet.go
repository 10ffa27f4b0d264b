package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
)

// Fleet polls every enabled integration whose lock this process gets. Each
// instance has a goroutine of its own, so that a wrong or failing one never
// disturbs the others; ten thousand of them are fine.
//
// It guarantees nothing about exactness: a lock saves requests, the sink's fence
// keeps events exact.
type Fleet struct {
	Integrations Integrations  // nil: Static alone
	Locks        Locks         // stored instances are shared out by their origins
	Static       []Integration // whoever comes first polls them; a stored one of the same name wins

	// Poll polls one instance until ctx ends. When it returns by itself, the
	// lock is given back and, after a Backoff, contended for again; after an
	// error that matches ErrConfig or ErrNewer, other processes have precedence for
	// 5 min, then 10, up to an hour, or until the integration changes. When that
	// changes, ctx ends with cause ErrChanged and Poll is called with the new one,
	// while the lock is kept unless the origin is another.
	//
	// Poll calls able, from its own goroutine, whenever it learns whether the org can
	// be polled from here: with nil, or with why not. After a minute of refusals the
	// others have precedence in the same way; Poll goes on until one of them is there.
	Poll func(ctx context.Context, i Integration, able func(error)) error

	// Report, unless nil, is told of what Poll can't say of an instance:
	// StateDisabled; StateConfig with the reason; StateConfig, StateRefused or
	// StateRetrying with the error that Poll returned; StateUnowned when this
	// process ends and gives the instance back; and the empty State when the
	// integration was deleted. Calls for one instance come one after another, and
	// never during its Poll; those of several come at once. The contexts of the
	// polls may have ended.
	Report func(instance string, state State, err error)

	Log     *slog.Logger // nil: discarded
	Backoff Backoff      // after a Poll or a lock that failed; its Rand must be safe for concurrent use
}

// ErrChanged is the cause of a poll's end when its integration has changed, is
// disabled or was deleted.
var ErrChanged = errors.New("integration changed")

func (f *Fleet) withDefaults() *Fleet {
	c := *f
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Report == nil {
		c.Report = func(string, State, error) {}
	}
	return &c
}

// Run watches the integrations and polls until ctx ends and all polls have
// ended; then it returns nil. Its only error is that of a Static that names
// an instance twice.
func (f *Fleet) Run(ctx context.Context) error {
	static, err := f.static()
	if err != nil {
		return err
	}
	c := &crew{Fleet: f.withDefaults(), static: static, members: map[string]*member{}, leaving: map[string]<-chan struct{}{}}
	defer c.wg.Wait()
	if c.Integrations == nil {
		c.apply(ctx, nil)
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		// What stands goes on while a broken watch is set up again.
		err := c.Integrations.Watch(ctx, func(entries map[string]Entry) {
			c.Backoff.Reset()
			c.apply(ctx, entries)
		})
		if ctx.Err() == nil {
			c.Log.Error("watching integrations ended", "err", err)
			_ = Sleep(ctx, c.Backoff.Next())
		}
	}
	return nil
}

func (f *Fleet) static() (map[string]Entry, error) {
	static := make(map[string]Entry, len(f.Static))
	for _, i := range f.Static {
		if _, twice := static[i.Instance]; twice {
			return nil, fmt.Errorf("instance %s is configured twice (rename one)", i.Instance)
		}
		static[i.Instance] = Entry{Integration: i}
	}
	return static, nil
}

// crew is a Fleet at work. Only the watch touches its maps.
type crew struct {
	*Fleet
	static  map[string]Entry
	members map[string]*member         // by instance
	leaving map[string]<-chan struct{} // closed when a deleted instance's goroutine has ended
	wg      sync.WaitGroup
}

// apply makes the members those of the entries.
func (c *crew) apply(ctx context.Context, stored map[string]Entry) {
	maps.DeleteFunc(c.leaving, func(_ string, left <-chan struct{}) bool { return isClosed(left) })
	orders := make(map[string]*order, len(c.static)+len(stored))
	for name, e := range c.static {
		orders[name] = newOrder(&e, "")
	}
	for name, e := range stored {
		orders[name] = newOrder(&e, e.Integration.Origin)
	}
	for name, m := range c.members {
		if orders[name] == nil {
			m.set(newOrder(nil, ""))
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

// join starts an instance's goroutine. One that was deleted and is back waits
// until the former has ended, so that there is never more than one.
func (c *crew) join(ctx context.Context, name string, first *order) {
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

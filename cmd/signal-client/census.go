package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// census says of each enabled integration that this process knows in which state it
// is, seen from here. It counts at each scrape, in memory: NATS is not asked. It is
// safe for concurrent use.
type census struct {
	metrics *telemetry.Metrics
	static  []pipeline.Integration

	mu      sync.Mutex
	board   *telemetry.StatusBoard    // nil: nothing is polled yet, for want of NATS
	locks   *jets.Locks               // nil with it
	entries map[string]pipeline.Entry // nil: not loaded
}

// censusEvery is how often it is looked who is no longer polled here.
const censusEvery = 5 * time.Second

// Begin says that polling begins, and where it is to be seen.
func (c *census) Begin(b *telemetry.StatusBoard, locks *jets.Locks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board, c.locks = b, locks
}

// polling is where polling is to be seen; nil: nowhere yet.
func (c *census) polling() (*telemetry.StatusBoard, *jets.Locks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.board, c.locks
}

// Set takes the integrations that stand.
func (c *census) Set(entries map[string]pipeline.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = entries
}

// wanted is an integration that somebody is to poll.
type wanted struct {
	instance string
	invalid  bool
}

// enabled lists the integrations that somebody is to poll. One whose value
// can't be read counts: nobody can tell that it is disabled.
func (c *census) enabled() []wanted {
	c.mu.Lock()
	entries := c.entries
	c.mu.Unlock()
	var all []wanted
	for _, i := range c.static {
		if _, stored := entries[i.Instance]; !stored {
			all = append(all, wanted{instance: i.Instance})
		}
	}
	for instance, e := range entries {
		if e.Err != nil || e.Integration.Enabled {
			all = append(all, wanted{instance, e.Err != nil})
		}
	}
	return all
}

// States returns the state of each enabled integration.
func (c *census) States() map[string]string {
	all := c.enabled()
	instances := make([]string, len(all))
	for n, s := range all {
		instances[n] = s.instance
	}
	board, locks := c.polling()
	states := make(map[string]string, len(all))
	if locks == nil {
		for _, s := range all {
			states[s.instance] = telemetry.StateCutOff
		}
		return states
	}
	holders, own := locks.Holders(instances), locks.Replica()
	for n, s := range all {
		holder := ""
		if holders != nil && holders[n] != own {
			holder = holders[n]
		}
		states[s.instance] = s.state(board, holder, holders != nil)
	}
	return states
}

// state says how an integration is; other is the process that holds it instead of
// this one, known whether that can be told.
func (s wanted) state(b *telemetry.StatusBoard, other string, known bool) string {
	state, held := b.State(s.instance)
	switch {
	case s.invalid:
		return telemetry.StateInvalid
	case held:
		return state
	case !known:
		return telemetry.StateCutOff
	case b.NameTaken(s.instance):
		return telemetry.Slug(pipeline.StateConfig)
	case other != "":
		return telemetry.StateElsewhere
	case state != "": // nobody polls it, and this process knows why
		return state
	}
	return telemetry.StateUnowned
}

// Count brings up to date what does not come by hooks: how many integrations nobody
// polls, and whose series end, since another process polls them now, or none is to.
// What it can't find out it leaves as it was.
func (c *census) Count() {
	states := c.States()
	board, _ := c.polling()
	nobody := 0
	for instance, state := range states {
		switch state {
		case telemetry.StateCutOff:
			return
		case telemetry.StateElsewhere, telemetry.StateInvalid:
		default:
			if _, held := board.State(instance); !held {
				nobody++
			}
		}
	}
	c.metrics.Unowned(nobody)
	for _, instance := range c.metrics.Polled() {
		_, held := board.State(instance)
		if state, enabled := states[instance]; !held && (!enabled || state == telemetry.StateElsewhere) {
			c.metrics.Released(instance)
		}
	}
}

// Faults says, for whoever looks at /readyz, which integrations nobody can poll as
// they are configured; all tells whether there is no other.
func (c *census) Faults() (faults []string, all bool) {
	states := c.States()
	board, _ := c.polling()
	for _, instance := range slices.Sorted(maps.Keys(states)) {
		if state := states[instance]; state == telemetry.StateInvalid || state == telemetry.Slug(pipeline.StateConfig) {
			faults = append(faults, "integration "+instance+" can't be polled as configured: "+board.Why(instance))
		}
	}
	return faults, len(faults) > 0 && len(faults) == len(states)
}

// replicas is how many processes have a live session; 0: that can't be told.
func (c *census) replicas() int {
	_, locks := c.polling()
	if locks == nil {
		return 0
	}
	return locks.Sessions()
}

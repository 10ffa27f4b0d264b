package run

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
)

// unownedCount reports the state of each enabled integration, as this process sees it. It
// counts in memory at each scrape, without asking NATS. It is safe for concurrent use.
type unownedCount struct {
	metrics *telemetry.Metrics
	static  []pipeline.Integration

	mu      sync.Mutex
	board   *telemetry.StatusBoard    // nil: NATS was not reached yet
	locks   *locks.Locks              // nil: likewise
	entries map[string]pipeline.Entry // nil: not loaded
}

// unownedEvery is how often to check which instances are no longer polled here.
const unownedEvery = 5 * time.Second

// Begin sets the sources once polling begins.
func (c *unownedCount) Begin(b *telemetry.StatusBoard, locks *locks.Locks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board, c.locks = b, locks
}

// polling returns the sources; nil: polling has not begun.
func (c *unownedCount) polling() (*telemetry.StatusBoard, *locks.Locks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.board, c.locks
}

// Set sets the current integrations.
func (c *unownedCount) Set(entries map[string]pipeline.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = entries
}

// wanted is an integration that should be polled.
type wanted struct {
	instance string
	key      string
	invalid  bool
}

// enabled lists the integrations that should be polled; an invalid one may be enabled.
func (c *unownedCount) enabled() []wanted {
	c.mu.Lock()
	entries := c.entries
	c.mu.Unlock()
	var all []wanted
	for _, i := range c.static {
		if _, stored := entries[i.Instance]; !stored {
			all = append(all, wanted{i.Instance, jets.Key(i.Kind.Name, i.Instance), false})
		}
	}
	for instance, e := range entries {
		if e.Err != nil || e.Integration.Enabled {
			all = append(all, wanted{instance, jets.Key(e.Integration.Kind.Name, instance), e.Err != nil})
		}
	}
	return all
}

// States returns the state of each enabled integration.
func (c *unownedCount) States() map[string]string {
	all := c.enabled()
	keys := make([]string, len(all))
	for n, s := range all {
		keys[n] = s.key
	}
	board, locks := c.polling()
	states := make(map[string]string, len(all))
	if locks == nil {
		for _, s := range all {
			states[s.instance] = telemetry.StateCutOff
		}
		return states
	}
	holders, own := locks.Holders(keys), locks.Replica()
	for n, s := range all {
		holder := ""
		if holders != nil && holders[n] != own {
			holder = holders[n]
		}
		states[s.instance] = s.state(board, holder, holders != nil)
	}
	return states
}

// state returns an integration's state; other holds it, if that is known.
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
	case state != "": // not polled, and this process knows why
		return state
	}
	return telemetry.StateUnowned
}

// Count updates the series without hooks: how many integrations nobody polls, and whose
// series end because another process polls them or they are disabled. Unknown figures stay.
func (c *unownedCount) Count() {
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

// Faults returns, for /readyz, the integrations that can't be polled; all: no others exist.
func (c *unownedCount) Faults() (faults []string, all bool) {
	states := c.States()
	board, _ := c.polling()
	for _, instance := range slices.Sorted(maps.Keys(states)) {
		if state := states[instance]; state == telemetry.StateInvalid || state == telemetry.Slug(pipeline.StateConfig) {
			faults = append(faults, "integration "+instance+" can't be polled as configured: "+board.Why(instance))
		}
	}
	return faults, len(faults) > 0 && len(faults) == len(states)
}

// replicas returns the number of live sessions; 0: not known.
func (c *unownedCount) replicas() int {
	_, locks := c.polling()
	if locks == nil {
		return 0
	}
	return locks.Sessions()
}

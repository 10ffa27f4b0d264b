package main

import (
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// census counts the enabled instances that nobody polls.
type census struct {
	metrics *metrics
	locks   *jets.Locks
	static  []pipeline.Integration

	mu      sync.Mutex
	entries map[string]pipeline.Entry // nil: not loaded
}

// censusEvery is how often they are counted, in memory: NATS is not asked.
const censusEvery = 5 * time.Second

// Set takes the integrations that stand.
func (c *census) Set(entries map[string]pipeline.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = entries
}

// Count counts. What it can't find out it leaves as it was.
func (c *census) Count() {
	c.mu.Lock()
	entries := c.entries
	c.mu.Unlock()
	if entries == nil {
		return
	}
	var wanted []string
	for _, i := range c.static {
		if _, stored := entries[i.Instance]; !stored {
			wanted = append(wanted, i.Instance)
		}
	}
	for instance, e := range entries {
		if e.Err == nil && e.Integration.Enabled {
			wanted = append(wanted, instance)
		}
	}
	if unowned, known := c.locks.Unowned(wanted); known {
		c.metrics.Unowned(unowned)
	}
}

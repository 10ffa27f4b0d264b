package main

import (
	"sync"

	"github.com/witfoo/signal-client/pipeline"
)

// clocks are what is believed of the orgs' clocks, one per origin: what is known of
// one outlives a poll that begins anew. Its zero value is ready; it is safe for
// concurrent use.
type clocks struct {
	mu   sync.Mutex
	each map[string]*pipeline.Clock // by origin
}

// Of is the origin's.
func (c *clocks) Of(origin string) *pipeline.Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.each == nil {
		c.each = map[string]*pipeline.Clock{}
	}
	if c.each[origin] == nil {
		c.each[origin] = new(pipeline.Clock)
	}
	return c.each[origin]
}

package run

import (
	"sync"

	"github.com/witfoo/signal-client/pipeline"
)

// clocks keeps the estimates of the orgs' clocks, one per origin, across restarts of
// their polls. The zero value is ready; it is safe for concurrent use.
type clocks struct {
	mu   sync.Mutex
	each map[string]*pipeline.Clock // by origin
}

// Of returns an origin's clock.
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

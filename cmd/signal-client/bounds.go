package main

import (
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

// bounds keep what this process has in use at once, of all instances together. An
// org that drains goes after those that don't.
type bounds struct {
	requests *pipeline.Gate // in flight
	pages    *pipeline.Gate // bytes of pages in memory
	backlogs *pipeline.Gate // batches of backfills in memory, of 8 MiB or a page more
}

// mostBacklogs is how many backfills have a batch in memory at a time. They have
// room of their own: a batch waits there for a poll, which must not wait for it.
const mostBacklogs = 16

// newBounds keeps room for one body that turns out to be as large as it may be
// while the rest is taken: it is read to its end, and the others wait for it.
func newBounds(c config.Process) bounds {
	return bounds{
		requests: &pipeline.Gate{Capacity: int64(c.MaxInFlight)},
		pages:    &pipeline.Gate{Capacity: int64(c.PageMemory), Spare: okta.DefaultMaxBody},
		backlogs: &pipeline.Gate{Capacity: mostBacklogs},
	}
}

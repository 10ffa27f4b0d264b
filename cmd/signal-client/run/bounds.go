package run

import (
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/page"
)

// bounds limit what this process uses at once, over all instances; drains go last.
type bounds struct {
	requests *pipeline.Gate // in flight
	pages    *pipeline.Gate // bytes of pages in memory
	backlogs *pipeline.Gate // batches of backfills in memory, each 8 MiB plus up to a page
}

// mostBacklogs is how many backfills have a batch in memory at once. They have a bound of
// their own: a batch waits in memory for a poll, which must not wait for the batch.
const mostBacklogs = 16

// newBounds reserves memory for one body of the largest size: even if the rest is used,
// it is read to its end while the others wait.
func newBounds(c config.Process) bounds {
	return bounds{
		requests: &pipeline.Gate{Capacity: int64(c.MaxInFlight)},
		pages:    &pipeline.Gate{Capacity: int64(c.PageMemory), Spare: page.DefaultMost},
		backlogs: &pipeline.Gate{Capacity: mostBacklogs},
	}
}

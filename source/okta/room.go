package okta

import (
	"context"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// room is how many bytes of an answer may be in memory.
type room struct {
	gate   *pipeline.Gate // nil: no bound
	drains bool
	first  bool  // no body has been read yet: it may be as large as a full page
	full   int64 // likely bytes of a full page
	most   int64 // the most bytes that a body may have
	time   *patience

	grant *pipeline.Grant
	held  int64
}

// eventSize is more than most events have.
const eventSize = 4 << 10

// room returns the room for an answer to a link.
func (c *Client) room(link pipeline.Link, left *patience) *room {
	full := min(int64(LimitOf(link))*eventSize, c.MaxBody)
	return &room{gate: c.Memory, drains: c.drains(), first: c.size == 0, full: full, most: c.MaxBody, time: left}
}

// reserve waits until the body may take n bytes. A body that outgrows its first guess
// reserves a full page at once: otherwise many half-read bodies would hold the memory
// that each needs to finish. A client's first body reserves a full page from the start:
// hundreds that began small would all grow, and growing goes before all others.
func (r *room) reserve(ctx context.Context, n int) error {
	size := min(int64(n), r.most)
	if r.gate == nil || size <= r.held {
		return nil
	}
	r.time.Stop()
	defer r.time.Go()
	var err error
	if r.grant == nil {
		if r.first {
			size = max(size, r.full)
		}
		r.grant, err = r.gate.Take(ctx, size, r.drains)
	} else {
		size = max(size, r.full)
		err = r.grant.Resize(ctx, size)
	}
	if err != nil {
		return fmt.Errorf("wait for memory: %w", err)
	}
	r.held = size
	return nil
}

// settle keeps n bytes of the reservation until the page is released.
func (r *room) settle(n int) *pipeline.Grant {
	if r.grant != nil && int64(n) < r.held {
		r.held = int64(n)
		_ = r.grant.Resize(context.Background(), r.held) // shrinking never waits
	}
	return r.grant
}

// patience is the time left for a request. It stops while the request waits for the
// process itself, which is not the org's fault.
type patience struct {
	timer *time.Timer
	left  time.Duration
	since time.Time
}

// newPatience returns a running patience that calls over when the time is up.
func newPatience(left time.Duration, over func()) *patience {
	return &patience{timer: time.AfterFunc(left, over), left: left, since: time.Now()}
}

// Stop stops the time.
func (p *patience) Stop() {
	p.timer.Stop()
	p.left -= time.Since(p.since)
}

// Go lets it run again.
func (p *patience) Go() {
	p.since = time.Now()
	p.timer.Reset(max(p.left, 0))
}

package okta

import (
	"context"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// room is what one body takes of the process's memory for pages.
type room struct {
	gate   *pipeline.Gate // nil: there is no bound
	drains bool
	first  bool  // no body was read yet: it may be a full page as well as none
	full   int64 // bytes that a full page may well have
	most   int64 // bytes that a body has at most
	time   *patience

	grant *pipeline.Grant
	held  int64
}

// eventSize is more than most events have.
const eventSize = 4 << 10

// room is the room of an answer to a link.
func (c *Client) room(link pipeline.Link, left *patience) *room {
	full := min(int64(LimitOf(link))*eventSize, c.MaxBody)
	return &room{gate: c.Memory, drains: c.drains(), first: c.size == 0, full: full, most: c.MaxBody, time: left}
}

// reserve waits until the body may have n bytes. One that turns out to be larger
// than was guessed is taken for a full page at once: many that are half read
// would hold what each of them needs to be read to its end. The first body of all is
// taken for one from the start: hundreds that began small would all grow, and who
// grows goes before the quiet.
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

// settle keeps n bytes of what was reserved, for as long as the page lives.
func (r *room) settle(n int) *pipeline.Grant {
	if r.grant != nil && int64(n) < r.held {
		r.held = int64(n)
		_ = r.grant.Resize(context.Background(), r.held) // less never waits
	}
	return r.grant
}

// patience is the time that a request has. It stands still while the request
// waits for the process itself: that is no fault of the org's.
type patience struct {
	timer *time.Timer
	left  time.Duration
	since time.Time
}

// newPatience calls over when the time is up.
func newPatience(left time.Duration, over func()) *patience {
	return &patience{timer: time.AfterFunc(left, over), left: left, since: time.Now()}
}

// Stop lets the time stand still.
func (p *patience) Stop() {
	p.timer.Stop()
	p.left -= time.Since(p.since)
}

// Go lets it go on.
func (p *patience) Go() {
	p.since = time.Now()
	p.timer.Reset(max(p.left, 0))
}

package page

import (
	"context"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Reservation is the memory that one body may take of what its process has for pages.
type Reservation struct {
	Most int64 // bytes that the body may have at most

	Gate    *pipeline.Gate // what the memory is taken from; nil: no bound, and what follows is not used
	Drains  bool           // it goes after those that do not drain
	First   bool           // no body has been read yet: this one may be as large as a full page
	Full    int64          // likely bytes of a full page
	Timeout *Timeout       // pauses while the body waits for memory

	grant *pipeline.Grant
	held  int64
}

// reserve waits until the body may take n bytes. A body that outgrows its first guess
// reserves a full page at once: otherwise many half-read bodies would hold the memory
// that each needs to finish. A client's first body reserves a full page from the start:
// hundreds that began small would all grow, and growing goes before all others.
func (r *Reservation) reserve(ctx context.Context, n int) error {
	size := min(int64(n), r.Most)
	if r.Gate == nil || size <= r.held {
		return nil
	}
	r.Timeout.Pause()
	defer r.Timeout.Resume()
	var err error
	if r.grant == nil {
		if r.First {
			size = max(size, r.Full)
		}
		r.grant, err = r.Gate.Take(ctx, size, r.Drains)
	} else {
		size = max(size, r.Full)
		err = r.grant.Resize(ctx, size)
	}
	if err != nil {
		return fmt.Errorf("wait for memory: %w", err)
	}
	r.held = size
	return nil
}

// Settle keeps n bytes of the memory until the page is released.
func (r *Reservation) Settle(n int) *pipeline.Grant {
	if r.grant != nil && int64(n) < r.held {
		r.held = int64(n)
		_ = r.grant.Resize(context.Background(), r.held) // shrinking never waits
	}
	return r.grant
}

// Release gives all of the memory back.
func (r *Reservation) Release() { r.grant.Release() }

// Timeout is the time left for a request. It is paused while the request waits for the
// process itself, which is not the org's fault.
type Timeout struct {
	timer *time.Timer
	left  time.Duration
	since time.Time
}

// NewTimeout returns a running Timeout that calls over when the time is up.
func NewTimeout(left time.Duration, over func()) *Timeout {
	return &Timeout{timer: time.AfterFunc(left, over), left: left, since: time.Now()}
}

// Pause stops the time.
func (t *Timeout) Pause() {
	t.timer.Stop()
	t.left -= time.Since(t.since)
}

// Resume lets it run again.
func (t *Timeout) Resume() {
	t.since = time.Now()
	t.timer.Reset(max(t.left, 0))
}

// Left returns the time left when it was last paused.
func (t *Timeout) Left() time.Duration { return t.left }

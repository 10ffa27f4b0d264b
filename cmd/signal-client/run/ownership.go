package run

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
)

// ownership tells metrics, board and others which instances this process holds.
type ownership struct {
	pipeline.Locks
	metrics *telemetry.Metrics
	board   *telemetry.StatusBoard
	gone    func(instance string) // called when an instance is no longer held; nil: not called
	// status returns an instance's status as the previous holder wrote it.
	status func(ctx context.Context, kind *pipeline.Kind, instance string) (pipeline.Status, error)
	// known is called with that status; nil: not called.
	known func(before pipeline.Status)
	count atomic.Int64
}

// Hold implements pipeline.Locks.
func (h *ownership) Hold(ctx context.Context, claim pipeline.Claim, held func(context.Context)) error {
	instance := claim.Instance
	return h.Locks.Hold(ctx, claim, func(ctx context.Context) {
		h.board.Held(claim.Kind, instance)
		h.metrics.Owned(int(h.count.Add(1)))
		defer func() {
			h.metrics.Owned(int(h.count.Add(-1))) // its series stay until another process holds it: see census
			h.board.Gone(instance)
			if h.gone != nil {
				h.gone(instance)
			}
		}()
		h.carry(ctx, claim)
		held(ctx)
	})
}

// carry continues the previous holder's event count, and what it has learned. It may fail:
// the count is for people, and the rest is learned again.
func (h *ownership) carry(ctx context.Context, claim pipeline.Claim) {
	if h.status == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if before, err := h.status(ctx, claim.Kind, claim.Instance); err == nil {
		before.Instance = claim.Instance
		h.board.Carry(before)
		if h.known != nil {
			h.known(before)
		}
	}
}

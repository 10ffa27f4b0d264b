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
	gone    func(instance string)                                               // called when an instance is no longer held; nil: not called
	status  func(ctx context.Context, instance string) (pipeline.Status, error) // as the previous holder wrote it
	count   atomic.Int64
}

// Hold implements pipeline.Locks.
func (h *ownership) Hold(ctx context.Context, claim pipeline.Claim, held func(context.Context)) error {
	instance := claim.Instance
	return h.Locks.Hold(ctx, claim, func(ctx context.Context) {
		h.board.Held(instance)
		h.metrics.Owned(int(h.count.Add(1)))
		defer func() {
			h.metrics.Owned(int(h.count.Add(-1))) // its series stay until another process holds it: see census
			h.board.Gone(instance)
			if h.gone != nil {
				h.gone(instance)
			}
		}()
		h.carry(ctx, instance)
		held(ctx)
	})
}

// carry continues the previous holder's event count. It is for people, so it may fail.
func (h *ownership) carry(ctx context.Context, instance string) {
	if h.status == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if before, err := h.status(ctx, instance); err == nil {
		before.Instance = instance
		h.board.Carry(before)
	}
}

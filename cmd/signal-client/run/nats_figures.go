package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
)

// figuresTime bounds how long a scrape waits for NATS.
const figuresTime = 2 * time.Second

// natsHolder holds the connection once it exists. It is safe for concurrent use.
type natsHolder struct {
	conn   atomic.Pointer[jets.Conn]
	where  string           // set before conn is
	server *embedded.Server // likewise; nil: NATS is not embedded
}

// Away returns that the connection is down; empty if it is up.
func (h *natsHolder) Away() string {
	conn := h.conn.Load()
	if conn == nil || conn.Connected() {
		return ""
	}
	return fmt.Sprintf("NATS at %s is away; polling continues when it is back", h.where)
}

// figures returns the figures for the metrics.
func (h *natsHolder) figures() telemetry.NATSFigures {
	var f telemetry.NATSFigures
	conn := h.conn.Load()
	if conn == nil {
		return f
	}
	if h.server != nil {
		if room, err := h.server.Room(); err == nil {
			f.Room = &room
		}
	}
	if f.Connected = conn.Connected(); !f.Connected {
		return f
	}
	ctx, cancel := context.WithTimeout(context.Background(), figuresTime)
	defer cancel()
	ctx, done := conn.Epoch(ctx)
	defer done()
	stream, err := conn.JS.Stream(ctx, jets.StreamSignals)
	if err != nil {
		return f
	}
	info := stream.CachedInfo()
	f.Stream = &telemetry.StreamFigures{Bytes: info.State.Bytes, Limit: info.Config.MaxBytes, First: info.State.FirstTime}
	if info.State.Msgs == 0 {
		f.Stream.First = time.Time{}
	}
	return f
}

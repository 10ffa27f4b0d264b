package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/jets"
)

// VisitTime bounds how long a command waits for NATS.
const VisitTime = 15 * time.Second

// Visit connects a command to the service's NATS.
func Visit(ctx context.Context, n config.NATS, s config.Server) (*jets.Conn, error) {
	d, err := n.To(s)
	if err != nil {
		return nil, err
	}
	conn, err := d.Connect(ctx, slog.New(slog.DiscardHandler))
	if err == nil || !n.Embedded() {
		return conn, err
	}
	p := problem.Of(err)
	if p.Code == problem.Unreachable {
		p.Hint = "start the service (signal-client run), or set NATS_URL=nats://<host>:4222; if the service listens on another address: SIGNAL_CLIENT_NATS_LISTEN=<its address>"
	}
	return nil, &p
}

// Closing closes a command's connection, and keeps the permission errors on it.
func (p *Program) Closing(conn *jets.Conn) func() {
	return func() {
		if denied := conn.Denied(nil); denied != nil {
			p.denied = denied
		}
		conn.Close()
	}
}

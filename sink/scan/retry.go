package scan

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// RetryWait is the wait of a lane or a Republisher before the next try.
func RetryWait() pipeline.Backoff {
	return pipeline.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second}
}

// SleepUntilUp waits for d and until the connection is up.
func SleepUntilUp(ctx context.Context, conn *jets.Conn, d time.Duration) error {
	if err := pipeline.Sleep(ctx, d); err != nil {
		return err
	}
	if err := conn.Up(ctx); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// passings are errors that a retry may cure.
var passings = []error{
	jets.ErrDisconnected, errGap, context.DeadlineExceeded, io.EOF,
	nats.ErrTimeout, nats.ErrNoResponders, nats.ErrNoServers, nats.ErrDisconnected,
	nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection,
	jetstream.ErrNoStreamResponse, jetstream.ErrConsumerDeleted, jetstream.ErrTooManyStalledMsgs, jetstream.ErrAsyncPublishTimeout,
}

// Passing reports whether a retry may cure an error.
func Passing(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == 503
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return slices.ContainsFunc(passings, func(p error) bool { return errors.Is(err, p) })
}

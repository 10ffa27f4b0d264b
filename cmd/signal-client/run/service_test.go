package run

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

func TestPasses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{jets.ErrDisconnected, true},
		{nats.ErrNoResponders, true},
		{&jetstream.APIError{Code: 503, ErrorCode: 10008}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10005}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: 10052}, false},
		{errors.New("it is sealed"), false},
	} {
		if got := passes(fmt.Errorf("make stream SIGNALS: %w", c.err)); got != c.want {
			t.Errorf("%v: passes %v, want %v", c.err, got, c.want)
		}
	}
}

// A connection that the server closed for good ends the service with an error: it would
// wait for ever.
func TestClosedConnectionEndsTheService(t *testing.T) {
	s := &Service{Log: slog.New(slog.DiscardHandler), Idle: true}
	conn, err := jets.Connect(t.Context(), "", jetstest.Run(t).Option())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serve(t.Context(), conn) }()
	if err := conn.NATS.Publish(strings.Repeat("a", 5000), nil); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if p, ok := errors.AsType[*problem.Error](err); !ok || p.Code != problem.Unreachable || !strings.Contains(p.Error(), "control line") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
}

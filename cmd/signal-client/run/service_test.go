package run

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
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

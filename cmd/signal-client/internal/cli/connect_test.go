package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/jets"
)

// A request that the user is not permitted to send gets no answer; the command says why.
func TestDeniedRequestsAreToldOf(t *testing.T) {
	natsd, _ := clitest.Server(t)
	conn, err := jets.Connect(t.Context(), clitest.UserURL(natsd, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := errors.Join(conn.NATS.Publish("$JS.API.STREAM.MSG.DELETE.DEADLETTER", nil), conn.NATS.FlushTimeout(clitest.Patience)); err != nil {
		t.Fatal(err)
	}
	p := new(Program)
	p.Closing(conn)()
	for err, want := range map[error]int{
		fmt.Errorf("delete 1: %w", context.DeadlineExceeded): problem.BadCredential, fmt.Errorf("list streams: %w", nats.ErrTimeout): problem.BadCredential,
		fmt.Errorf("look at it: %w", jets.ErrNoMessage): problem.Failed,
	} {
		var b bytes.Buffer
		code := problem.Report(term.Screen{Writer: &b}, p.reason(err))
		if told := strings.Contains(b.String(), `"$JS.API.STREAM.MSG.DELETE.DEADLETTER"`); code != want || told != (want == problem.BadCredential) {
			t.Errorf("%v: exit code %d\n%s", err, code, b.String())
		}
	}
}

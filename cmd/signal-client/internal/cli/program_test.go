package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// An interrupt is not a failure, and a failure of a process that goes on is not an
// interrupt.
func TestInterrupted(t *testing.T) {
	var p Program
	err := fmt.Errorf("wait: %w", context.Canceled)
	if code := p.Report(t.Context(), err); code != problem.Failed {
		t.Errorf("uninterrupted: exit code %d, want %d", code, problem.Failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err, want := range map[error]int{err: problem.Interrupted, nil: problem.OK, errors.New("disk full"): problem.Failed} {
		if code := p.Report(ctx, err); code != want {
			t.Errorf("%v: exit code %d, want %d", err, code, want)
		}
	}
}

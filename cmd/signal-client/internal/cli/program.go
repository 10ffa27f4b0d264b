package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// GapOf says which events may never have been read.
func GapOf(gap pipeline.Gap) string {
	return fmt.Sprintf("events from %s until %s, which Okta dropped before they were read", gap.From.Format(time.RFC3339), gap.Until.Format(time.RFC3339))
}

// Program is what every command shares.
type Program struct {
	Color  term.ColorMode
	denied error // what NATS did not let this user do; nil: nothing is known of
}

// Out is where results go, and the log of the service, which is its result.
func (p *Program) Out() term.Screen { return term.NewScreen(os.Stdout, p.Color) }

// Err is where everything else goes: progress and errors.
func (p *Program) Err() term.Screen { return term.NewScreen(os.Stderr, p.Color) }

// Say tells, on standard error, what a command did: its result is in NATS.
func (p *Program) Say(format string, args ...any) {
	_, _ = io.WriteString(p.Err(), term.Printable(fmt.Sprintf(format, args...))+"\n")
}

// Report prints a command's error, if it has one, and returns the exit code. A
// command that was interrupted and says no more than that needs no explanation.
// (The service returns nil then: to be told to stop is its good end.)
func (p *Program) Report(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return problem.OK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return problem.Interrupted
	}
	if code, ok := errors.AsType[problem.ExitCode](err); ok {
		return int(code)
	}
	return problem.Report(p.Err(), p.reason(err))
}

// reason is an error's, where it says no more than that no answer came: to what a
// user must not ask NATS gives none.
func (p *Program) reason(err error) error {
	if p.denied == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) {
		return err
	}
	return &problem.Error{Op: problem.Of(err).Op, Err: p.denied}
}

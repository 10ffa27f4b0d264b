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

// GapOf describes the events that may never have been read.
func GapOf(gap pipeline.Gap) string {
	return fmt.Sprintf("events from %s until %s, which Okta dropped before they were read", gap.From.Format(time.RFC3339), gap.Until.Format(time.RFC3339))
}

// Program is shared by all commands.
type Program struct {
	Color  term.ColorMode
	denied error // the permission error that NATS reported; nil: none
}

// Out is the output for results; the service's result is its log.
func (p *Program) Out() term.Screen { return term.NewScreen(os.Stdout, p.Color) }

// Err is the output for everything else: progress and errors.
func (p *Program) Err() term.Screen { return term.NewScreen(os.Stderr, p.Color) }

// Say prints on standard error what a command did: its result is in NATS.
func (p *Program) Say(format string, args ...any) {
	_, _ = io.WriteString(p.Err(), term.Printable(fmt.Sprintf(format, args...))+"\n")
}

// Report prints a command's error, if any, and returns the exit code. Interrupted commands need
// no explanation. (The service returns nil then: it is its regular end.)
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

// reason replaces a timeout by the permission error that NATS reported on this
// connection: the server does not answer a request the user may not send.
func (p *Program) reason(err error) error {
	if p.denied == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) {
		return err
	}
	return &problem.Error{Op: problem.Of(err).Op, Err: p.denied}
}

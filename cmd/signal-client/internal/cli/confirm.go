package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

// Confirmation is the confirmation before an irreversible action.
type Confirmation struct {
	In  *os.File // the keyboard, or a test's substitute
	yes bool     // answered by --yes
	Dry bool     // --dry-run: nothing is done
}

// Flags adds --yes and --dry-run.
func (a *Confirmation) Flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "don't ask for confirmation")
	cmd.Flags().BoolVar(&a.Dry, "dry-run", false, "show what would be done, and do nothing")
}

// Possible fails early if there is no terminal to ask on.
func (a *Confirmation) Possible(what string) error {
	if a.yes || a.Dry || term.IsTerminal(a.In) {
		return nil
	}
	return problem.Usage(what, "it asks for confirmation, and there is no terminal", "--yes to confirm, or --dry-run")
}

// Confirm asks, unless answered by --yes. done names the action, such as "removed".
func (a *Confirmation) Confirm(ctx context.Context, to term.Screen, question, done string) error {
	if a.yes {
		return nil
	}
	return Confirm(ctx, a.In, to, question, done)
}

// Confirm asks on the terminal. Anything but yes means no.
func Confirm(ctx context.Context, in *os.File, to term.Screen, question, done string) error {
	fmt.Fprint(to, term.Printable(question)+" [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- line // buffered: the caller may have given up
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(to)
		return ctx.Err()
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
	}
	return problem.Usage("not "+done, "it was not confirmed", "answer y, or use --yes")
}

// ErrDry ends a dry run.
var ErrDry = errors.New("dry run")

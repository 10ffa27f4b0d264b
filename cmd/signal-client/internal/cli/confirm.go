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

// Asking is how a command asks before it does what can't be taken back.
type Asking struct {
	In  *os.File // the keyboard, or a test's substitute
	yes bool     // answered by --yes
	Dry bool     // --dry-run: nothing is done
}

// Flags gives a command --yes and --dry-run.
func (a *Asking) Flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "don't ask for confirmation")
	cmd.Flags().BoolVar(&a.Dry, "dry-run", false, "show what would be done, and do nothing")
}

// Possible refuses what can't be asked, before anything is looked at.
func (a *Asking) Possible(what string) error {
	if a.yes || a.Dry || term.IsTerminal(a.In) {
		return nil
	}
	return problem.Usage(what, "it asks for confirmation, and there is no terminal", "--yes to confirm, or --dry-run")
}

// Confirm asks, unless it was answered beforehand. done is what is not done
// without a yes, such as "removed".
func (a *Asking) Confirm(ctx context.Context, to term.Screen, question, done string) error {
	if a.yes {
		return nil
	}
	return Confirm(ctx, a.In, to, question, done)
}

// Confirm asks on the terminal. Anything but yes is a no.
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
	return &problem.Error{Op: "not " + done, Err: errors.New("it was not confirmed"), Hint: "answer y, or use --yes", Code: problem.BadUsage}
}

// ErrDry ends what was only to be shown.
var ErrDry = errors.New("dry run")

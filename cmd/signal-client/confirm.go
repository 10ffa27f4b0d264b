package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// asking is how a command asks before it does what can't be taken back.
type asking struct {
	in  *os.File // the keyboard, or what stands in its place
	yes bool     // it was answered beforehand
	dry bool     // nothing is done
}

// flags gives a command --yes and --dry-run.
func (a *asking) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "don't ask")
	cmd.Flags().BoolVar(&a.dry, "dry-run", false, "say what would be done, and do nothing")
}

// possible refuses what can't be asked, before anything is looked at.
func (a *asking) possible(what string) error {
	if a.yes || a.dry || isTerminal(a.in) {
		return nil
	}
	return wrong(what, "it asks first, and there is no terminal to ask on", "--yes, if it is meant, or --dry-run")
}

// confirm asks, unless it was answered beforehand. done is what is not done
// without a yes, such as "removed".
func (a *asking) confirm(ctx context.Context, to screen, question, done string) error {
	if a.yes {
		return nil
	}
	return confirm(ctx, a.in, to, question, done)
}

// confirm asks on the terminal. Anything but yes is a no.
func confirm(ctx context.Context, in *os.File, to screen, question, done string) error {
	fmt.Fprint(to, printable(question)+" [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(in).ReadString('\n')
		answer <- line // nobody may wait for it any more
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
	return &problem{Op: "not " + done, Err: errors.New("it was not confirmed"), Hint: "answer y, or use --yes", Code: exitUsage}
}

// errDry ends what was only to be shown.
var errDry = errors.New("dry run")

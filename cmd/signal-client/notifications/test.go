package notifications

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

const testLong = `Send a test message to a channel now, once, and print what the receiver answers. It is
sent from this machine, and the channel's files are read here. The history records it.

Exit codes: 0 it was sent; 1 it was not.

Examples:
  signal-client notifications test on-call
  signal-client notifications test on-call --json | jq -r .answer`

func (c *command) newTest() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "test <channel>",
		Short:             "Send a test message to a channel now",
		Long:              testLong,
		Args:              cli.Named(1),
		ValidArgsFunction: complete(1, channelNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := c.test(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = term.WriteJSON(c.Out(), t)
			} else if t.Sent {
				_, err = fmt.Fprintf(c.Out(), "%s %s: %s\n", c.Out().Paint(term.Green, "sent"), t.Channel, term.Printable(t.Answer))
			}
			if err == nil && !t.Sent {
				err = &problem.Error{Op: "test of the channel " + t.Channel, Err: errors.New(t.Why), Hint: "signal-client notifications channel set " + t.Channel + " --help", Code: problem.Failed}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c.Connection(cmd)
}

// test tests a channel and records that. Without a record the channel's state is not that
// of the test.
func (c *command) test(cmd *cobra.Command, name string) (notify.Tested, error) {
	stored, all, done, err := c.read(cmd)
	if err != nil {
		return notify.Tested{}, err
	}
	defer done()
	one, err := channelOf(all, name)
	if err != nil {
		return notify.Tested{}, err
	}
	t := notify.Test(cmd.Context(), nil, one, cli.Whoami())
	if err := cmd.Context().Err(); err != nil {
		return t, err
	}
	if err := notify.RecordTest(cmd.Context(), stored, t, cli.Whoami()); err != nil {
		c.Say("note: the test is not recorded: %v", err)
	}
	return t, nil
}

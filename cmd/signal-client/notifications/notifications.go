package notifications

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

const long = `Tell people what happens to orgs: by webhook, Slack or e-mail.

What happens is an advisory: an org refuses its token, events are missing, a process
took over. Rules say which kinds, of which orgs and from which severity on, go to which
channels. One process of the fleet sends each; what failed is tried again three times.
Of the same kind and org nothing more is sent during the rule's cooldown. A change takes
effect within 10 s.

No command shows a channel's URL, which is a credential. It is read from a file, from
standard input or from a prompt, and never from an argument.

Examples:
  signal-client notifications channel add slack on-call --url-from slack.url
  signal-client notifications test on-call
  signal-client notifications rule add refused --kind breaker_opened --channel on-call
  signal-client notifications list
  signal-client notifications history`

// New makes the command notifications.
func New(p *cli.Program) *cobra.Command {
	c := &command{CommandContext: cli.CommandContext{Program: p}, in: os.Stdin}
	cmd := &cobra.Command{
		Use:     "notifications",
		Aliases: []string{"notification"},
		Short:   "Tell people what happens, by webhook, Slack or e-mail",
		Long:    long,
	}
	cmd.AddCommand(c.newList(), c.newChannel(), c.newRule(), c.newTest(), c.newHistory())
	return cmd
}

// command is what all commands about notifications share.
type command struct {
	cli.CommandContext
	in *os.File // the keyboard, or a test's substitute
}

// group makes a command that only has others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Args: cli.KnownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// read connects to NATS and reads all channels and rules.
func (c *command) read(cmd *cobra.Command) (*buckets.Notifications, buckets.Rules, func(), error) {
	store, done, err := c.Connect(cmd)
	if err != nil {
		return nil, buckets.Rules{}, nil, err
	}
	stored := &buckets.Notifications{Store: store}
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
	defer cancel()
	all, err := stored.Read(ctx)
	if err != nil {
		done()
		return nil, all, nil, err
	}
	return stored, all, done, nil
}

// channelOf returns the channel of that name, or the problem that there is none.
func channelOf(all buckets.Rules, name string) (buckets.Channel, error) {
	c, ok := all.Channel(name)
	if !ok {
		return c, missing("channel", name, channelNames(all))
	}
	return c, nil
}

func ruleOf(all buckets.Rules, name string) (buckets.Rule, error) {
	r, ok := all.Rule(name)
	if !ok {
		return r, missing("rule", name, ruleNames(all))
	}
	return r, nil
}

func channelNames(all buckets.Rules) (names []string) {
	for _, c := range all.Channels {
		names = append(names, c.Name)
	}
	return names
}

func ruleNames(all buckets.Rules) (names []string) {
	for _, r := range all.Rules {
		names = append(names, r.Name)
	}
	return names
}

func missing(what, name string, known []string) error {
	cause, hint := "there is none", "signal-client notifications list"
	if len(known) > 0 {
		cause = "there are: " + strings.Join(known, ", ")
	}
	if near := problem.Nearest(name, known); near != "" {
		hint = near
	}
	return &problem.Error{Op: fmt.Sprintf("no %s %s", what, name), Err: errors.New(cause), Hint: hint, Code: problem.Failed}
}

// exists returns the problem that a new channel or rule has the name of another.
func exists(what, name string) error {
	return problem.Usage(fmt.Sprintf("add the %s %s", what, name), "there is one of that name", fmt.Sprintf("signal-client notifications %s set %s …, or another name", what, name))
}

// wrong returns a problem for each field that is wrong, named as its flag.
func wrong(err error) error {
	if errs := problem.Complaints(err, flagOf); errs != nil {
		return errors.Join(errs...)
	}
	return err
}

// flagOf returns the flag of a field.
func flagOf(field string) string {
	name, _, _ := strings.Cut(field, "[")
	switch name {
	case "name", "type":
		return name
	case "url":
		return "--url-from"
	case "kinds", "instances", "channels":
		return "--" + strings.TrimSuffix(name, "s")
	}
	return "--" + strings.ReplaceAll(name, "_", "-")
}

// complete completes the names of channels or rules, for as many arguments.
func complete(most int, names func(buckets.Rules) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return cli.Offered(cmd, func(ctx context.Context, store *jets.Store) []cobra.Completion {
			all, err := (&buckets.Notifications{Store: store}).Read(ctx)
			if err != nil {
				return nil
			}
			return slices.Clone(names(all))
		})
	}
}

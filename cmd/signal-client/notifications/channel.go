package notifications

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

func (c *command) newChannel() *cobra.Command {
	return group("channel", "Add, change, disable and remove channels",
		"Add, change, disable and remove channels: where notifications go.\n\nExamples:\n  signal-client notifications channel add slack on-call --url-from slack.url\n  signal-client notifications channel disable on-call",
		c.newChannelAdd(), c.newChannelSet(), c.newChannelSwitch("enable", false), c.newChannelSwitch("disable", true), c.newChannelRemove())
}

const channelAddLong = `Add a channel. Its type is webhook, slack or email.

A webhook gets the advisory as JSON, as schemas/advisory.json describes it; slack is
Slack's incoming webhook, and what takes its messages, such as Mattermost. The URL is
stored from --url-from, or asked for; with --url-file each process that polls reads it
from that file instead, and so it does with the other files.

Examples:
  signal-client notifications channel add slack on-call --url-from slack.url
  signal-client notifications channel add webhook siem --url-file /etc/signal-client/siem.url --authorization-file /etc/signal-client/siem.auth
  signal-client notifications channel add email mail --smtp smtp.example.com:587 --from signal-client@example.com --to on-call@example.com --user signal-client --password-file /etc/signal-client/smtp.password`

// channelTypes are the types of channels.
var channelTypes = [...]string{buckets.ChannelWebhook, buckets.ChannelSlack, buckets.ChannelEmail}

func (c *command) newChannelAdd() *cobra.Command {
	var f channelFlags
	cmd := &cobra.Command{
		Use:   "add <type> <name>",
		Short: "Add a channel",
		Long:  channelAddLong,
		Args:  two,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return channelTypes[:], cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(channelTypes[:], args[0]) {
				return problem.Usage("type "+args[0], "it must be webhook, slack or email", "signal-client notifications channel add slack "+args[1])
			}
			stored, all, done, err := c.read(cmd)
			if err != nil {
				return err
			}
			defer done()
			if _, there := all.Channel(args[1]); there {
				return exists("channel", args[1])
			}
			one := buckets.Channel{Type: args[0], Name: args[1]}
			if err := c.put(cmd, stored, f, one); err != nil {
				return err
			}
			c.Say("Added the channel %s. Test it: signal-client notifications test %s", args[1], args[1])
			if len(all.Rules) == 0 {
				c.Say("Nothing is sent without a rule: signal-client notifications rule add --help")
			}
			return nil
		},
	}
	f.add(cmd)
	return c.Connection(cmd)
}

const channelSetLong = `Change some fields of a channel. Fields without a flag stay as they are, and so does
the URL.

Examples:
  signal-client notifications channel set on-call --url-from new.url
  signal-client notifications channel set mail --to on-call@example.com,manager@example.com`

func (c *command) newChannelSet() *cobra.Command {
	var f channelFlags
	cmd := &cobra.Command{
		Use:               "set <name>",
		Aliases:           []string{"edit"},
		Short:             "Change some fields of a channel",
		Long:              channelSetLong,
		Args:              cli.Named(1),
		ValidArgsFunction: complete(1, channelNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.changeChannel(cmd, args[0], func(stored *buckets.Notifications, one buckets.Channel) error {
				if err := c.put(cmd, stored, f, one); err != nil {
					return err
				}
				c.Say("Changed the channel %s.", one.Name)
				return nil
			})
		},
	}
	f.add(cmd)
	return c.Connection(cmd)
}

// changeChannel hands a stored channel to change.
func (c *command) changeChannel(cmd *cobra.Command, name string, change func(*buckets.Notifications, buckets.Channel) error) error {
	stored, all, done, err := c.read(cmd)
	if err != nil {
		return err
	}
	defer done()
	one, err := channelOf(all, name)
	if err != nil {
		return err
	}
	return change(stored, one)
}

// put stores a channel with what the flags say.
func (c *command) put(cmd *cobra.Command, stored *buckets.Notifications, f channelFlags, one buckets.Channel) error {
	f.apply(cmd, &one)
	posts := one.Type != buckets.ChannelEmail
	if f.urlFrom != "" && !posts {
		return problem.Usage("--url-from", "an e-mail channel has no URL", "--smtp smtp.example.com:587")
	}
	if f.urlFrom != "" || posts && one.URL.IsZero() && one.URLFile == "" {
		text, err := c.readURL(cmd.Context(), f.urlFrom)
		if err != nil {
			return err
		}
		one.URL = pipeline.NewSecret(text)
		if !cmd.Flags().Changed("url-file") {
			one.URLFile = ""
		}
	}
	return wrong(stored.PutChannel(cmd.Context(), one))
}

func (c *command) newChannelSwitch(verb string, disabled bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:               verb + " <name>",
		Short:             map[bool]string{true: "Send nothing to a channel", false: "Send to a channel again"}[disabled],
		Long:              map[bool]string{true: "Send nothing to a channel. It stays as it is.", false: "Send to a channel again."}[disabled] + "\n\nExample:\n  signal-client notifications channel " + verb + " on-call",
		Args:              cli.Named(1),
		ValidArgsFunction: complete(1, channelNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.changeChannel(cmd, args[0], func(stored *buckets.Notifications, one buckets.Channel) error {
				one.Disabled = disabled
				if err := wrong(stored.PutChannel(cmd.Context(), one)); err != nil {
					return err
				}
				c.Say("The channel %s is %s.", one.Name, enabled(disabled))
				return nil
			})
		},
	}
	return c.Connection(cmd)
}

func (c *command) newChannelRemove() *cobra.Command {
	sure := cli.Confirmation{In: c.in}
	cmd := &cobra.Command{
		Use:               "remove <name>",
		Aliases:           []string{"rm", "delete"},
		Short:             "Forget a channel",
		Long:              "Forget a channel and its URL. It must be in no rule. What was sent stays in the history.\n\nExample:\n  signal-client notifications channel remove on-call",
		Args:              cli.Named(1),
		ValidArgsFunction: complete(1, channelNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			stored, all, done, err := c.read(cmd)
			if err != nil {
				return err
			}
			defer done()
			one, err := channelOf(all, args[0])
			if err != nil {
				return err
			}
			if rules := all.Using(one.Name); len(rules) > 0 {
				return problem.Usage("remove the channel "+one.Name, "rules send to it: "+strings.Join(rules, ", "), fmt.Sprintf("signal-client notifications rule set %s --channel …, or rule remove %s", rules[0], rules[0]))
			}
			return c.remove(cmd, &sure, "channel "+one.Name, func() error { return stored.DeleteChannel(cmd.Context(), one.Name) })
		},
	}
	sure.Flags(cmd)
	return c.Connection(cmd)
}

// remove deletes what, after a confirmation.
func (c *command) remove(cmd *cobra.Command, sure *cli.Confirmation, what string, remove func() error) error {
	if err := sure.Possible("remove the " + what); err != nil {
		return err
	}
	if sure.Dry {
		c.Say("The %s would be removed.", what)
		return nil
	}
	if err := sure.Confirm(cmd.Context(), c.Err(), "Remove the "+what+"?", "removed"); err != nil {
		return err
	}
	if err := remove(); err != nil {
		return err
	}
	c.Say("Removed the %s.", what)
	return nil
}

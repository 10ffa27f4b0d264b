package notifications

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
)

const listLong = `List channels, with what became of the last notification of each, and rules.

Examples:
  signal-client notifications list
  signal-client notifications list --json | jq -r '.channels[] | select(.last.result == "failed") | .name'`

func (c *command) newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls", "show"},
		Short:   "List channels and rules",
		Long:    listLong,
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, done, err := c.Connect(cmd)
			if err != nil {
				return err
			}
			defer done()
			d, _, err := notify.Read(cmd.Context(), &buckets.Notifications{Store: store})
			switch {
			case err != nil:
				return err
			case asJSON:
				return term.WriteJSON(c.Out(), d)
			}
			return c.print(d)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c.Connection(cmd)
}

func (c *command) print(d notify.Document) error {
	out := c.Out()
	if len(d.Channels)+len(d.Rules) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No channels and no rules: nobody is told of anything. signal-client notifications --help")
		return err
	}
	channels := term.Grid{Title: term.Count(len(d.Channels), "channel"), Header: []string{"channel", "type", "state", "sends to", "last", "time", "why"}}
	for _, one := range d.Channels {
		where := one.Where()
		if len(one.To) > 0 {
			where += " to " + strings.Join(one.To, ", ")
		}
		row := []any{one.Name, one.Type, enabled(one.Disabled), where, "", "", ""}
		if one.Last != nil {
			row[4], row[5], row[6] = one.Last.Result, one.Last.At, one.Last.Why
		}
		channels.Rows = append(channels.Rows, row)
	}
	if err := channels.Print(out); err != nil {
		return err
	}
	fmt.Fprintln(out)
	rules := term.Grid{Title: term.Count(len(d.Rules), "rule"), Header: []string{"rule", "state", "kinds", "instances", "severity", "channels", "cooldown"}}
	for _, r := range d.Rules {
		severity := r.Severity
		if severity == "" {
			severity = "warning"
		}
		rules.Rows = append(rules.Rows, []any{r.Name, enabled(r.Disabled), allOr(r.Kinds), allOr(r.Instances), severity, strings.Join(r.Channels, ", "), term.ExactSpan(r.Silence())})
	}
	return rules.Print(out)
}

func enabled(not bool) string {
	if not {
		return "disabled"
	}
	return "enabled"
}

func allOr(names []string) string {
	if len(names) == 0 {
		return "all"
	}
	return strings.Join(names, ", ")
}

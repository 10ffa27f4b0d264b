package integrations

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
)

const integrationsHistoryLong = `Show who changed what of an org, newest first: in the console, through its API, or with
this command. The newest 64 changes of each org are kept for 400 days, those of removed
orgs too. Of a secret it shows only that it was set, changed or removed.

Examples:
  signal-client integrations history acme
  signal-client integrations history acme --json | jq '.[] | select(.via != "cli")'`

func (r *integrations) newHistory() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "history <name>",
		Short:             "Show who changed what of an org",
		Long:              integrationsHistoryLong,
		Args:              cli.Named(1),
		ValidArgsFunction: cli.CompleteInstances(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := r.history(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return term.WriteJSON(r.Out(), changes)
			}
			return printHistory(r.Out(), args[0], changes)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

// history returns the changes of an instance, which must exist if there are none.
func (r *integrations) history(cmd *cobra.Command, instance string) ([]buckets.Change, error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	changes, err := (&buckets.Changes{Store: all.Store}).Of(cmd.Context(), instance)
	if err != nil || len(changes) > 0 {
		return changes, err
	}
	_, err = orgs.Find(cmd.Context(), all, instance)
	return changes, err
}

func printHistory(out term.Screen, instance string, changes []buckets.Change) error {
	if len(changes) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No changes of "+instance+" are recorded.")
		return err
	}
	g := term.Grid{Title: instance, Header: []string{"time", "who", "via", "action", "what"}}
	for _, c := range changes {
		g.Rows = append(g.Rows, []any{c.At, c.Who, c.Via, c.Action, whatChanged(c.Fields)})
	}
	return g.Print(out)
}

// whatChanged returns the changed fields in a line.
func whatChanged(fields []buckets.FieldChange) string {
	parts := make([]string, len(fields))
	for n, f := range fields {
		switch {
		case f.From == nil:
			parts[n] = fmt.Sprintf("%s: %s", f.Field, orgs.Text(f.To))
		case f.To == nil:
			parts[n] = fmt.Sprintf("%s: %s removed", f.Field, orgs.Text(f.From))
		default:
			parts[n] = fmt.Sprintf("%s: %s -> %s", f.Field, orgs.Text(f.From), orgs.Text(f.To))
		}
	}
	return strings.Join(parts, ", ")
}

// author returns who runs this command.
func author() orgs.Author { return orgs.Author{Who: cli.Whoami(), Via: "cli"} }

// unless returns err; a change of which only the record failed was made, and is noted.
func (r *integrations) unless(err error) error {
	if errors.Is(err, orgs.ErrUnrecorded) {
		r.Say("note: %v", err)
		return nil
	}
	return err
}

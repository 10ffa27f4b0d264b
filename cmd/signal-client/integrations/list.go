package integrations

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// changedOf returns when the value was written, or where it comes from instead.
func changedOf(s orgs.Summary) any {
	if s.Environment {
		return "environment"
	}
	return s.WrittenAt
}

const integrationsListLong = `List the orgs in INTEGRATIONS, and those that a service has from its environment
(OKTA_FQDN), shown with "environment" instead of a time of change. For their status
see: signal-client status.

Examples:
  signal-client integrations list
  signal-client integrations list --json | jq -r '.[] | select(.error) | .instance'`

func (r *integrations) newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the orgs",
		Long:    integrationsListLong,
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := with(r, cmd, orgs.List)
			if err != nil {
				return err
			}
			if asJSON {
				return term.WriteJSON(r.Out(), list)
			}
			return r.printList(list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

func (r *integrations) printList(list []orgs.Summary) error {
	out := r.Out()
	if len(list) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No orgs yet. Add one: "+cli.FirstCommand)
		return err
	}
	g := term.Grid{
		Title:  term.Count(len(list), "org"),
		Header: []string{"instance", "state", "name", "origin", "poll interval", "token", "changed", "error"},
	}
	for _, s := range list {
		text, interval := s.Error, ""
		if out.Terminal {
			text = term.Cut(text, 60)
		}
		if s.Error == "" {
			interval = term.ExactSpan(s.Interval)
		}
		g.Rows = append(g.Rows, []any{s.Instance, s.State(), s.Name, s.Origin, interval, s.Token, changedOf(s), text})
	}
	return g.Print(out)
}

const integrationsShowLong = `Show one org's configuration, with all defaults filled in.

Examples:
  signal-client integrations show acme
  signal-client integrations show acme --json`

func (r *integrations) newShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "show <name>",
		Aliases:           []string{"info"},
		Short:             "Show one org's configuration",
		Long:              integrationsShowLong,
		Args:              cli.Named(1),
		ValidArgsFunction: cli.CompleteInstances(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := with(r, cmd, func(ctx context.Context, all *buckets.Integrations) (orgs.Summary, error) {
				return orgs.LookUp(ctx, all, args[0])
			})
			if err != nil {
				return err
			}
			if asJSON {
				return term.WriteJSON(r.Out(), s)
			}
			return r.printOne(s)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

func (r *integrations) printOne(s orgs.Summary) error {
	out := r.Out()
	g := term.Grid{Title: s.Instance, Header: []string{"field", "value"}}
	add := func(name string, v any) { g.Rows = append(g.Rows, []any{name, v}) }
	add("instance", s.Instance)
	add("state", s.State())
	if s.Error != "" {
		add("error", s.Error)
	} else {
		add("name", s.Name)
		add("origin", s.Origin)
		add("poll interval", term.ExactSpan(s.Interval))
		add("since", s.Since)
		add("filter", s.Filter)
		add("limit", s.Limit)
		add("rate share", s.RateShare)
		add("link hosts", strings.Join(s.LinkHosts, ","))
		add("token", s.Token)
		add("token file", s.TokenFile)
		add("next token", s.TokenNext)
		if s.TokenEnv != "" {
			add("token variable", s.TokenEnv)
		}
		if s.ClientID != "" {
			add("client id", s.ClientID)
			add("key id", s.KeyID)
			add("private key", s.PrivateKey)
			add("private key file", s.PrivateKeyFile)
		}
	}
	add("changed", changedOf(s))
	add("revision", s.Revision)
	return g.Print(out)
}

const integrationsExportLong = `Print all orgs as one JSON document that import reads. It contains no tokens: import
--replace keeps the stored ones. Members of other writers are kept, except those whose
name suggests a secret.

Examples:
  signal-client integrations export > orgs.json
  signal-client integrations import --replace orgs.json`

func (r *integrations) newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print all orgs as JSON, without tokens",
		Long:  integrationsExportLong,
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			written, err := with(r, cmd, func(ctx context.Context, all *buckets.Integrations) ([]buckets.Written, error) {
				return all.Written(ctx)
			})
			if err := jets.IgnoreMissingBucket(err); err != nil {
				return err
			}
			list := []orgs.Value{}
			for _, w := range written {
				v, err := orgs.ReadValue(w.Value)
				if err != nil {
					r.Say("left out %s: its value is not a JSON object", w.Instance)
					continue
				}
				v = v.WithoutSecrets()
				v["instance"] = w.Instance
				list = append(list, v)
			}
			return term.WriteJSON(r.Out(), list)
		},
	}
	cmd.Flags().Bool("json", true, "print one JSON document, as it always does")
	return r.flags(cmd)
}

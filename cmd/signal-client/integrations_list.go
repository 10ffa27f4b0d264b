package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// shown is an integration as list and show print it: with all defaults filled
// in, and nothing of its token.
type shown struct {
	Instance            string    `json:"instance"`
	Enabled             bool      `json:"enabled"`
	Name                string    `json:"name"`
	Origin              string    `json:"origin"`
	PollIntervalSeconds float64   `json:"poll_interval_seconds"`
	Since               string    `json:"since"`
	Filter              string    `json:"filter"`
	Limit               int       `json:"limit"`
	RateShare           float64   `json:"rate_share"`
	LinkHosts           []string  `json:"link_hosts"`
	Token               string    `json:"token"` // set, file or none
	TokenFile           string    `json:"token_file,omitempty"`
	Revision            uint64    `json:"revision"`
	WrittenAt           time.Time `json:"written_at,omitzero"`
	Environment         bool      `json:"environment,omitempty"` // it is not in INTEGRATIONS: a service has it from its environment
	Error               string    `json:"error,omitempty"`       // the value is wrong: all above but the instance is empty

	Interval time.Duration `json:"-"` // PollIntervalSeconds
}

// show reads a value as the service does.
func show(w jets.Written) shown {
	i, err := pipeline.ParseIntegration(w.Instance, w.Value)
	s := shown{Instance: w.Instance, LinkHosts: []string{}, Revision: w.Revision, WrittenAt: w.At.UTC()}
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.fill(i)
	return s
}

func (s *shown) fill(i pipeline.Integration) {
	s.Enabled, s.Name, s.Origin = i.Enabled, i.Name, i.Origin
	s.Interval, s.PollIntervalSeconds = i.PollInterval, i.PollInterval.Seconds()
	s.Since, s.Filter, s.Limit, s.RateShare = sinceText(i.Since), i.Filter, i.Limit, i.RateShare
	s.LinkHosts = append(s.LinkHosts, i.LinkHosts...)
	s.Token, s.TokenFile = "none", i.TokenFile
	if !i.Token.IsZero() {
		s.Token = "set"
	} else if i.TokenFile != "" {
		s.Token = "file"
	}
}

// showEnvironment reads what a service has from its environment. In some of its files,
// or in a variable, there is a token.
func showEnvironment(w jets.Written) shown {
	s := show(w)
	if i, err := fromEnvironmentOf(w, ""); err == nil {
		s.fill(i)
		s.Error = ""
	}
	s.Environment, s.WrittenAt = true, time.Time{}
	if s.Token == "none" {
		s.Token = "set"
	}
	return s
}

func sinceText(s pipeline.Since) string {
	if !s.Moment.IsZero() {
		return s.Moment.Format(time.RFC3339)
	}
	return exactSpan(s.Age)
}

// changedOf is when the value was written, or where it stands instead.
func changedOf(s shown) any {
	if s.Environment {
		return "environment"
	}
	return s.WrittenAt
}

// State is a word for the list.
func (s shown) State() pipeline.State {
	switch {
	case s.Error != "":
		return pipeline.StateConfig
	case !s.Enabled:
		return pipeline.StateDisabled
	}
	return stateEnabled
}

// stateEnabled is that of an org as it is configured; how it is doing is not
// looked up.
const stateEnabled pipeline.State = "enabled"

const integrationsListLong = `List the orgs in INTEGRATIONS, and those that a service has from its environment
(OKTA_FQDN), with "environment" for when they were changed. How they are doing is
for: signal-client status.

Examples:
  signal-client integrations list
  signal-client integrations list --json | jq -r '.[] | select(.error) | .instance'`

func (r *roster) newList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the orgs",
		Long:    integrationsListLong,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := r.list(cmd)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(r.Out(), list)
			}
			return r.printList(list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

func (r *roster) list(cmd *cobra.Command) ([]shown, error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	return listed(cmd.Context(), all)
}

// listed is what INTEGRATIONS holds, and what services have from their environment, by
// name.
func listed(ctx context.Context, all *jets.Integrations) ([]shown, error) {
	written, err := all.Written(ctx)
	if err := present(err); err != nil {
		return nil, err
	}
	list := []shown{} // [] rather than null
	stored := map[string]bool{}
	for _, w := range written {
		list = append(list, show(w))
		stored[w.Instance] = true
	}
	statuses, err := jets.AllStatuses(ctx, all.Store.Conn)
	for _, s := range statuses {
		if w, ok := fromStatus(s); ok && !stored[s.Instance] {
			list = append(list, showEnvironment(w))
		}
	}
	slices.SortFunc(list, func(a, b shown) int { return strings.Compare(a.Instance, b.Instance) })
	return list, present(err)
}

func (r *roster) printList(list []shown) error {
	out := r.Out()
	if len(list) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No orgs yet. Add one: "+firstCommand)
		return err
	}
	g := grid{
		Title:  count(len(list), "org"),
		Header: []string{"instance", "state", "name", "origin", "poll interval", "token", "changed", "error"},
	}
	for _, s := range list {
		text, interval := s.Error, ""
		if out.Terminal {
			text = cut(text, 60)
		}
		if s.Error == "" {
			interval = exactSpan(s.Interval)
		}
		g.Rows = append(g.Rows, []any{s.Instance, s.State(), s.Name, s.Origin, interval, s.Token, changedOf(s), text})
	}
	return g.Print(out)
}

const integrationsShowLong = `Show one org as it is configured, with all defaults filled in.

Examples:
  signal-client integrations show acme
  signal-client integrations show acme --json`

func (r *roster) newShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "show <name>",
		Aliases:           []string{"info"},
		Short:             "Show one org's configuration",
		Long:              integrationsShowLong,
		Args:              named(1),
		ValidArgsFunction: completeInstances(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := r.shown(cmd, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(r.Out(), s)
			}
			return r.printOne(s)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return r.flags(cmd)
}

func (r *roster) shown(cmd *cobra.Command, instance string) (shown, error) {
	all, done, err := r.open(cmd)
	if err != nil {
		return shown{}, err
	}
	defer done()
	return lookUp(cmd.Context(), all, instance)
}

// lookUp is one org, wherever it is configured.
func lookUp(ctx context.Context, all *jets.Integrations, instance string) (shown, error) {
	w, err := find(ctx, all, instance)
	if errors.Is(err, errNoIntegration) {
		if there, ok := environment(ctx, all.Store, instance); ok {
			return showEnvironment(there), nil
		}
	}
	return show(w), err
}

func (r *roster) printOne(s shown) error {
	out := r.Out()
	g := grid{Title: s.Instance, Header: []string{"field", "value"}}
	add := func(name string, v any) { g.Rows = append(g.Rows, []any{name, v}) }
	add("instance", s.Instance)
	add("state", s.State())
	if s.Error != "" {
		add("error", s.Error)
	} else {
		add("name", s.Name)
		add("origin", s.Origin)
		add("poll interval", exactSpan(s.Interval))
		add("since", s.Since)
		add("filter", s.Filter)
		add("limit", s.Limit)
		add("rate share", s.RateShare)
		add("link hosts", strings.Join(s.LinkHosts, ","))
		add("token", s.Token)
		add("token file", s.TokenFile)
	}
	add("changed", changedOf(s))
	add("revision", s.Revision)
	return g.Print(out)
}

const integrationsExportLong = `Print all orgs as one JSON document that import reads. It holds no token: where a
token is stored, import --replace keeps it. Members of other writers are kept, but
for those whose name speaks of a secret.

Examples:
  signal-client integrations export > orgs.json
  signal-client integrations import --replace orgs.json`

func (r *roster) newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print all orgs as JSON, without tokens",
		Long:  integrationsExportLong,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			written, err := r.written(cmd)
			if err != nil {
				return err
			}
			list := []value{}
			for _, w := range written {
				v, err := readValue(w.Value)
				if err != nil {
					r.say("left out %s: its value is no JSON object", w.Instance)
					continue
				}
				v = v.WithoutSecrets()
				v["instance"] = w.Instance
				list = append(list, v)
			}
			return writeJSON(r.Out(), list)
		},
	}
	cmd.Flags().Bool("json", true, "print one JSON document, which it does anyway")
	return r.flags(cmd)
}

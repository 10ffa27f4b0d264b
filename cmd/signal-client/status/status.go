package status

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/overview"
)

const statusLong = `Show every org: its state, its holder, and up to when it is complete; and every
polling process, with its share of the orgs. With a name it shows all of one org.

It reads the buckets INTEGRATIONS, STATUS and LOCKS. Without NATS_URL it uses the
embedded server of the signal-client that runs on this machine.

With --watch it continues until Ctrl-C: on a terminal it redraws, into a pipe it
adds a line for each org that has changed, or with --json a document per line. It
then also shows rates: events per minute, and how long an org that is behind will
need to catch up at that rate. A busy org's figures are written every 15 s.

What each state means, and what to do: signal-client help states

Examples:
  signal-client status
  signal-client status acme
  signal-client status --watch
  signal-client status --replicas
  signal-client status --json | jq '.[] | select(.state != "polling")'`

type statusFlags struct {
	json, replicas bool
	instances      []string      // empty: all
	watch          time.Duration // 0: once
}

// New makes the command status.
func New(p *cli.Program) *cobra.Command {
	var n config.NATS
	var s config.Server
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [<name>...]",
		Short: "Show every org and up to when it is complete",
		Long:  statusLong,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.fault(cmd); err != nil {
				return err
			}
			f.instances = args
			if err := config.Load(cmd, &n, &s); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), cli.VisitTime)
			defer cancel()
			conn, err := cli.Visit(ctx, n, s)
			if err != nil {
				return err
			}
			defer conn.Close()
			store := jets.Attach(conn, kinds.All.Plain()...)
			if f.watch > 0 {
				return (&watching{Program: p, statusFlags: f}).Run(cmd.Context(), overview.New(store))
			}
			return statusOnce(ctx, p, store, f)
		},
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON document; with --watch one per line")
	cmd.Flags().BoolVar(&f.replicas, "replicas", false, "show the polling processes and their shares instead of the orgs")
	cmd.Flags().Var((*cli.DurationFlag)(&f.watch), "watch", "continue and show changes every `interval` (default 2s)")
	cmd.Flags().Lookup("watch").NoOptDefVal = "2s"
	config.AddFlags(cmd, &n)
	cmd.ValidArgsFunction = cli.CompleteInstances(0)
	return cmd
}

func (f statusFlags) fault(cmd *cobra.Command) error {
	if cmd.Flags().Changed("watch") && f.watch < 100*time.Millisecond {
		return problem.Usage(fmt.Sprintf("--watch=%s", f.watch), "it must be an interval of at least 100ms", "--watch=2s")
	}
	return nil
}

func statusOnce(ctx context.Context, p *cli.Program, store *jets.Store, f statusFlags) error {
	now := time.Now()
	all, replicas, err := overview.Read(ctx, store, now)
	if err == nil {
		all, err = chosen(all, f.instances)
	}
	switch {
	case err != nil:
		return err
	case f.json && f.replicas:
		return term.WriteJSON(p.Out(), overview.Shares(replicas))
	case f.json:
		return term.WriteJSON(p.Out(), all)
	case f.replicas:
		return printShares(p.Out(), overview.Shares(replicas))
	case len(f.instances) == 1:
		return printStatus(p.Out(), all[0], now)
	}
	return printStatuses(p.Out(), all, overview.Shares(replicas), nil, now)
}

// printStatuses prints the orgs, and for people the processes. nil paces are not shown.
func printStatuses(out term.Screen, all []pipeline.Status, replicas []overview.Share, paces map[string]overview.Pace, now time.Time) error {
	if len(all) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No orgs yet. Add one: "+cli.FirstCommand)
		return err
	}
	g := term.Grid{
		Title:  term.Count(len(all), "org") + tally(all),
		Header: statusHeader(paces != nil),
		Now:    now,
	}
	if out.Terminal {
		g.Header = slices.DeleteFunc(g.Header, func(name string) bool { return name == "last error" }) // it is below the row
	}
	for _, s := range all {
		row := statusRow(s, out.Terminal)
		if paces != nil {
			row = append(row, paceCells(paces[s.Instance], out.Terminal)...)
		}
		if out.Terminal {
			g.Rows, g.Notes = append(g.Rows, row), append(g.Notes, notes(s))
			continue
		}
		g.Rows = append(g.Rows, append(row, s.LastError))
	}
	if err := g.Print(out); err != nil || !out.Terminal || len(replicas) == 0 {
		return err
	}
	return printShares(out, replicas)
}

// tally counts the orgs by state, the most frequent first.
func tally(all []pipeline.Status) string {
	counts := map[pipeline.State]int{}
	for _, s := range all {
		counts[s.State]++
	}
	states := slices.SortedFunc(maps.Keys(counts), func(a, b pipeline.State) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	var parts []string
	for _, state := range states {
		parts = append(parts, fmt.Sprintf("%s %s", term.Number(uint64(counts[state])), state))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

func statusHeader(paced bool) []string {
	header := []string{"instance", "state", "holder", "lag", "last event", "events", "requests left"}
	if paced {
		header = append(header, "events/min", "caught up in")
	}
	return append(header, "last error")
}

func statusRow(s pipeline.Status, people bool) []any {
	row := []any{s.Instance, s.State, s.Holder, lag(s, people), overview.LastEvent(s), fmt.Sprint(s.Events), budget(s)}
	if people {
		row[5] = term.Number(s.Events)
	}
	return row
}

// lag returns the age of the watermark, in seconds for programs.
func lag(s pipeline.Status, people bool) string {
	switch {
	case s.CompleteThrough.IsZero() && people:
		return "-"
	case s.CompleteThrough.IsZero():
		return ""
	case people:
		return term.Span(time.Duration(s.LagSeconds * float64(time.Second)))
	}
	return fmt.Sprintf("%.0f", s.LagSeconds)
}

// budget returns how many requests are left. A window that has ended is not shown.
func budget(s pipeline.Status) string {
	if s.RateLimit == nil {
		return ""
	}
	left := fmt.Sprintf("%d of %d", s.RateLimit.Remaining, s.RateLimit.Limit)
	if c := s.RateLimit.Cap; c != nil {
		left += fmt.Sprintf(", cap %d", c.Requests)
	}
	return left
}

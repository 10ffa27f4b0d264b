package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
)

const auditLong = `Compare what an org shows of its log with what is stored of it, event by event.

The events of a span are requested separately from the poller's requests, within a
share of the org's rate limit. An event that the org shows and that is not stored is
missing, unless the poller has not reached it yet. Only an audit finds events that
Okta makes visible behind a cursor that has passed. --repair stores what is missing,
through the same fences as the poller, with the header Signal-Origin: repair. The
service may run meanwhile.

Okta's search may lack events that it logged late: "here only" counts those, and those
that an earlier filter let in. Events of the last 10 minutes are not counted.

Exit codes: 0 no difference, or everything missing is stored now; 3 differences;
4 the credential is refused; 5 NATS or the org can't be reached.

Examples:
  signal-client audit --instance acme --since 24h
  signal-client audit --instance acme --since 2026-11-20 --until 2026-11-21 --repair
  signal-client audit --instance acme --since 7d --json | jq .missing`

type auditCommand struct {
	cli.CommandContext
	since, until cli.TimeFlag
	share        float64
	repair, json bool
}

// New makes the command audit.
func New(p *cli.Program) *cobra.Command {
	a := &auditCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove that nothing is missing, and repair what is",
		Long:  auditLong,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.run(cmd) },
	}
	_ = a.since.Set("24h")
	cmd.Flags().Var(&a.since, "since", "start of the span, by when events happened: an age or a time")
	cmd.Flags().Var(&a.until, "until", "end of the span: an age or a time; default: now")
	cmd.Flags().Float64Var(&a.share, "share", backfill.DefaultJobShare, "part of the org's rate limit to keep to, `0 to 1`")
	cmd.Flags().BoolVar(&a.repair, "repair", false, "store what is missing")
	cmd.Flags().BoolVar(&a.json, "json", false, "print one JSON document")
	return a.Flags(cmd)
}

func (a *auditCommand) run(cmd *cobra.Command) error {
	now := time.Now()
	since, until, err := spanOf(a.since, a.until, now)
	if err != nil {
		return err
	}
	if err := cli.ShareFault(a.share); err != nil {
		return err
	}
	store, done, err := a.Open(cmd)
	if err != nil {
		return err
	}
	defer done()
	i, err := a.Integration(cmd.Context(), store)
	if err != nil {
		return err
	}
	if since = i.Kind.Clamp(since, now).Truncate(time.Millisecond); since.After(a.since.At(now)) {
		a.Say("%s: the audit starts there.", i.Kind.Keeps())
	}
	client, err := a.client(cmd.Context(), i, store, a.share)
	if err != nil {
		return err
	}
	r, err := a.audit(cmd.Context(), store, client, i, since, until)
	if err != nil && cmd.Context().Err() != nil {
		a.Say("Interrupted: %s compared, %d stored. Run it again to compare the rest.", term.Count(r.Both, "event"), r.Repaired)
	}
	if err != nil {
		return auditProblem(err)
	}
	if r.Missing > r.Repaired && !a.repair {
		defer a.Say("--repair stores what is missing.")
	}
	return a.print(r)
}

// client returns a client of the instance's org, within a share of the limit that all share.
func (a *auditCommand) client(ctx context.Context, i pipeline.Integration, store *jets.Store, share float64) (source.Client, error) {
	token, err := orgs.Credential(ctx, i)
	if i.Static && err != nil {
		err = orgs.Withheld(i, errors.Unwrap(err))
	}
	if err != nil {
		return nil, err
	}
	http, err := a.Network.Source().Client(ctx, i)
	if err != nil {
		return nil, err
	}
	return kinds.All.Of(i).Client(i, token, source.Options{
		HTTP: http, Limiter: &limiter.Limiter{Exchange: buckets.NewBudgets(store.Of(i.Kind)), Origin: i.Origin, Replica: "command"},
		Share: share, Timeout: time.Duration(a.Stage.RequestTimeout), UserAgent: build.Read().UserAgent(),
	}), nil
}

func (a *auditCommand) audit(ctx context.Context, store *jets.Store, client source.Client, i pipeline.Integration, since, until time.Time) (audit.Report, error) {
	line := &term.ProgressLine{To: a.Err(), Every: 10 * time.Second}
	defer line.Clear()
	return (&audit.Audit{
		Instance: i.Instance, Source: client, Since: since, Until: until, Repair: a.repair,
		Window: i.Kind.Window(i),
		Ledger: &signals.Ledger{Store: store.Of(i.Kind), Instance: i.Instance, Source: i.Source},
		Progress: func(through time.Time, r *audit.Report) {
			part := max(0, float64(through.Sub(since))/float64(until.Sub(since)))
			line.Show(fmt.Sprintf("%3.0f %% of the span, %s compared, %s", 100*part, term.Count(r.Both, "event"), term.Count(r.Requests, "request")))
		},
	}).Run(ctx)
}

// spanOf returns the span between two flags.
func spanOf(since, until cli.TimeFlag, now time.Time) (from, to time.Time, err error) {
	from, to = kinds.Default.Clamp(since.At(now), now), until.At(now)
	switch {
	case to.After(now):
		err = problem.Usage("--until="+until.Text, "it is in the future", "leave it out: the default is now")
	case !from.Before(to) && since.At(now).Before(to):
		err = problem.Usage("--until="+until.Text, kinds.Default.Keeps(), "--until=1d")
	case !from.Before(to):
		err = problem.Usage("--since="+since.Text, "it is not before --until", "--since=24h")
	}
	return from.Truncate(time.Millisecond), to.Truncate(time.Millisecond), err
}

// auditProblem adds to an audit's error what to do about it.
func auditProblem(err error) error {
	switch {
	case errors.Is(err, audit.ErrBehind):
		return &problem.Error{Op: "audit", Err: err}
	case errors.Is(err, audit.ErrTooMany):
		return &problem.Error{Op: "audit", Err: err, Hint: "if signal-client status says catching up, wait until it is over; else audit a shorter span, or store the whole span: signal-client backfill start with the same flags", Code: problem.Found}
	case errors.Is(err, signals.ErrPurged), errors.Is(err, signals.ErrUncompared):
		return err
	case errors.Is(err, signals.ErrNoPosition):
		return &problem.Error{Op: "audit", Err: fmt.Errorf("%w: this org was never polled", err), Hint: "start the service: signal-client run", Code: problem.Failed}
	}
	return err
}

package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
)

const restoreLong = `Begin with an exported state in a NATS that has none of it. Streams and buckets must
be there: start the service once, or run signal-client provision.

What is there already is kept: an instance that has a position goes on from it, an
integration that exists stays as it is. So a restore can be repeated.

Each instance goes on from its exported position. What Okta logged after the export
is stored, each event once; what the lost stream held from before is not, but Okta
has it for 90 days: signal-client backfill start <name> --since 90d. Backfills that
had not ended begin anew.

It asks for confirmation; without a terminal it needs --yes.

Examples:
  signal-client restore signal-client-2026-11-28.json --dry-run
  signal-client restore - --yes < signal-client-2026-11-28.json`

// NewRestore makes the command restore.
func NewRestore(p *cli.Program) *cobra.Command {
	r := &restoring{CommandContext: cli.CommandContext{Program: p}, Confirmation: cli.Confirmation{In: os.Stdin}}
	cmd := &cobra.Command{
		Use:   "restore <file>",
		Short: "Begin with an exported state in a NATS that has lost it",
		Long:  restoreLong,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return problem.Usage("restore", "it takes the file of an export, or - for standard input", "signal-client restore <file> --dry-run")
			}
			return nil
		},
		RunE: r.run,
	}
	cmd.Flags().BoolVar(&r.json, "json", false, "print one JSON document")
	r.Confirmation.Flags(cmd)
	return r.Connection(cmd)
}

type restoring struct {
	cli.CommandContext
	cli.Confirmation
	json bool
}

// outcome counts what became of an export.
type outcome struct {
	DryRun       bool     `json:"dry_run"`
	Positions    count    `json:"positions"`
	Integrations count    `json:"integrations"`
	Backfills    count    `json:"backfills"`
	Failed       []string `json:"failed"` // what could not be restored, and why
}

type count struct {
	Restored int `json:"restored"`
	Kept     int `json:"kept"` // were there already
}

func (r *restoring) run(cmd *cobra.Command, args []string) error {
	if err := r.Possible("restore"); err != nil {
		return err
	}
	data, err := readAll(args[0])
	if err != nil {
		return problem.Usage("read "+args[0], err.Error(), "the file that signal-client export printed")
	}
	d, err := readDocument(data)
	if err != nil {
		return &problem.Error{Op: "read " + args[0], Err: err, Code: problem.BadUsage, Hint: "the file that signal-client export printed, unchanged"}
	}
	store, done, err := r.Connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	to := r.Err()
	fmt.Fprintf(to, "Exported at %s by %s: %s, %s, %s.\n", d.At.Format("2006-01-02T15:04:05Z07:00"), term.Printable(d.Program),
		term.Count(len(d.Integrations), "integration"), term.Count(len(d.Positions), "position"), term.Count(len(d.Backfills), "backfill"))
	if !r.Dry {
		if err := r.Confirm(cmd.Context(), to, "Restore what is missing?", "restored"); err != nil {
			return err
		}
	}
	o, err := r.restore(cmd.Context(), store, d)
	if err != nil {
		return err
	}
	if r.json {
		err = term.WriteJSON(r.Out(), o)
	} else {
		r.print(o)
	}
	if err == nil && len(o.Failed) > 0 {
		err = &problem.Error{Op: "restore " + args[0], Err: fmt.Errorf("%s could not be restored", term.Count(len(o.Failed), "value")), Code: problem.Failed,
			Hint: "see above; run it again: what is restored is kept"}
	}
	return err
}

func readAll(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

func (r *restoring) print(o outcome) {
	verb := "restored"
	if o.DryRun {
		verb = "to restore"
	}
	for _, line := range []struct {
		what string
		count
	}{{"positions", o.Positions}, {"integrations", o.Integrations}, {"backfills", o.Backfills}} {
		fmt.Fprintf(r.Out(), "%s\t%d %s, %d kept\n", line.what, line.Restored, verb, line.Kept)
	}
	for _, failure := range o.Failed {
		fmt.Fprintln(r.Err(), term.Printable(failure))
	}
}

// restore writes what is missing. The positions come first, so that no poller starts an
// instance afresh; the integrations after them, and the backfills last, which need both. A
// restart of the command finds what was written, and keeps it.
func (r *restoring) restore(ctx context.Context, store *jets.Store, d Document) (outcome, error) {
	o := outcome{DryRun: r.Dry, Failed: []string{}}
	each := func(c *count, key string, write func(kind *pipeline.Kind, instance string) (kept bool, err error)) error {
		kind, instance, err := kindOf(store, key)
		kept := false
		if err == nil {
			kept, err = write(kind, instance)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			o.Failed = append(o.Failed, key+": "+err.Error())
		case kept:
			c.Kept++
		default:
			c.Restored++
		}
		return nil
	}
	for _, p := range d.Positions {
		if err := each(&o.Positions, p.Key, func(kind *pipeline.Kind, instance string) (bool, error) {
			return r.position(ctx, store.Of(kind), instance, p)
		}); err != nil {
			return o, err
		}
	}
	for _, i := range d.Integrations {
		if err := each(&o.Integrations, i.Key, func(kind *pipeline.Kind, instance string) (bool, error) {
			return r.integration(ctx, store.Of(kind), i.Key, i.Value)
		}); err != nil {
			return o, err
		}
	}
	for _, j := range d.Backfills {
		if err := each(&o.Backfills, j.Key, func(kind *pipeline.Kind, _ string) (bool, error) {
			j.Value.Kind = kind
			return r.backfill(ctx, store.Of(kind), j.Value)
		}); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (r *restoring) position(ctx context.Context, store *jets.Store, instance string, p position) (kept bool, err error) {
	var exported pipeline.Position
	if err := json.Unmarshal(p.Position, &exported); err != nil {
		return false, err
	}
	operator := &signals.Operator{Store: store, Instance: instance, By: cli.Whoami(), Note: fmt.Sprintf("restore of position %d", p.Sequence)}
	if r.Dry {
		_, err := operator.CursorState(ctx)
		if errors.Is(err, signals.ErrNoPosition) && !errors.Is(err, signals.ErrPurged) {
			return false, nil
		}
		return true, nil
	}
	if _, err = operator.Restore(ctx, exported); errors.Is(err, signals.ErrStarted) {
		return true, nil
	}
	return false, err
}

func (r *restoring) integration(ctx context.Context, store *jets.Store, key string, v orgs.Value) (kept bool, err error) {
	all := &buckets.Integrations{Store: store}
	w, err := all.Get(ctx, key)
	if err != nil || w.Value != nil || r.Dry {
		return w.Value != nil, err
	}
	_, err = orgs.Write(ctx, all, orgs.Author{Who: cli.Whoami(), Via: "cli"}, w, v)
	switch {
	case errors.Is(err, pipeline.ErrChanged): // written by somebody else, or by ourselves with a lost answer
		return true, nil
	case errors.Is(err, orgs.ErrUnrecorded):
		return false, nil
	}
	return false, err
}

// backfill restores a job. One that had not ended begins anew: what it had stored is lost,
// and what is kept is compared.
func (r *restoring) backfill(ctx context.Context, store *jets.Store, j backfill.Job) (kept bool, err error) {
	all := &buckets.Backfills{Store: store}
	if r.Dry {
		jobs, err := all.All(ctx)
		for _, there := range jobs {
			kept = kept || there.ID == j.ID && there.Instance == j.Instance
		}
		return kept, err
	}
	if _, err = all.Put(ctx, j.Anew(), 0); errors.Is(err, pipeline.ErrChanged) {
		return true, nil
	}
	return false, err
}

package backfill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nuid"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/signals"
)

const backfillLong = `Store an org's past events that are not stored yet: from before the first start, or
that an earlier filter left out.

A backfill is a job. The process that polls the org runs it between polls, so live
events go first, within a share of the org's rate limit, and it continues after a
restart or a takeover. Events that are stored already are recognised by their ids.
Events that it stores have the header Signal-Origin: backfill, and come after newer
ones in the stream.

Examples:
  signal-client backfill start --instance acme --since 30d --until 7d
  signal-client backfill list
  signal-client backfill show 20261122-141503-7f3a --watch
  signal-client backfill cancel 20261122-141503-7f3a`

type backfillCommand struct {
	cli.CommandContext
	json, dry bool
}

// New makes the command backfill.
func New(p *cli.Program) *cobra.Command {
	cmd := &cobra.Command{Use: "backfill", Short: "Store past events, as a job", Long: backfillLong}
	cmd.AddCommand(newBackfillStart(p), newBackfillList(p), newBackfillShow(p), newBackfillCancel(p))
	return cmd
}

func newBackfillStart(p *cli.Program) *cobra.Command {
	b := &backfillCommand{CommandContext: cli.CommandContext{Program: p}}
	var since, until cli.TimeFlag
	var share float64
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Create a job",
		Long: `Create a job for the process that polls the org. It starts at once, or after the
org's earlier jobs.

Examples:
  signal-client backfill start --instance acme --since 30d --until 7d
  signal-client backfill start --instance acme --since 2026-10-01 --until 2026-11-01 --share 0.2`,
		RunE: func(cmd *cobra.Command, _ []string) error { return b.start(cmd, since, until, share) },
	}
	cmd.Flags().Var(&since, "since", "start of the span, by when events happened: an age or a time; Okta keeps 90 days")
	cmd.Flags().Var(&until, "until", "end of the span: an age or a time; default: now")
	cmd.Flags().Float64Var(&share, "share", backfill.DefaultJobShare, "part of the org's rate limit to keep to, `0 to 1`")
	cmd.Flags().BoolVar(&b.dry, "dry-run", false, "show what would be done, and do nothing")
	cmd.Flags().BoolVar(&b.json, "json", false, "print the job as JSON")
	return b.Flags(cmd)
}

func (b *backfillCommand) start(cmd *cobra.Command, since, until cli.TimeFlag, share float64) error {
	if since.IsZero() {
		return problem.Usage("--since is missing", "it is the start of the span", "--since=30d")
	}
	if err := cli.ShareFault(share); err != nil {
		return err
	}
	store, done, err := b.Open(cmd)
	if err != nil {
		return err
	}
	defer done()
	ctx := cmd.Context()
	i, err := b.Integration(ctx, store)
	if err != nil {
		return err
	}
	now := time.Now()
	unique := nuid.Next()
	id := now.UTC().Format("20060102-150405-") + unique[len(unique)-4:] // it sorts by time
	job, err := backfill.NewJob(i.Kind, id, b.Instance, since.At(now), until.At(now), share, now)
	if err != nil {
		return &problem.Error{Op: "backfill of " + b.Instance, Err: err, Hint: "signal-client backfill start --help", Code: problem.BadUsage}
	}
	if !b.dry {
		if _, err := (&buckets.Backfills{Store: store}).Put(ctx, job, 0); err != nil {
			return err
		}
		signals.Wake(store.Conn, job.Instance)
	}
	if b.json {
		return term.WriteJSON(b.Out(), job)
	}
	b.tellOf(job, since.At(now), i)
	return nil
}

// tellOf prints what a new job does or, with --dry-run, would do.
func (b *backfillCommand) tellOf(job backfill.Job, since time.Time, i pipeline.Integration) {
	if b.dry {
		fmt.Fprintf(b.Out(), "A job would store the events of %s from %s to %s, within %g of its rate limit.\n",
			job.Instance, job.Since.Format(time.RFC3339), job.Until.Format(time.RFC3339), job.Share)
	} else {
		fmt.Fprintln(b.Out(), job.ID)
	}
	if job.Since.After(since) {
		b.Say("%s: the job starts there.", i.Kind.Keeps())
	}
	if !i.Enabled {
		b.Say("The org is disabled: the job waits until it is enabled.")
	}
	if !b.dry {
		b.Say("%s: events from %s to %s. Follow it with: signal-client backfill show %s --watch",
			job.Instance, job.Since.Format(time.RFC3339), job.Until.Format(time.RFC3339), job.ID)
	}
}

func newBackfillCancel(p *cli.Program) *cobra.Command {
	b := &backfillCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:               "cancel <job>...",
		Short:             "End a job; stored events remain",
		Args:              jobsNamed(0),
		ValidArgsFunction: b.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.each(cmd, args, b.cancel)
		},
	}
	return b.Connection(cmd)
}

func (b *backfillCommand) cancel(ctx context.Context, all *buckets.Backfills, k buckets.KeptJob) error {
	for {
		if k.Ended() {
			b.Say("%s: %s already", k.ID, k.State)
			return nil
		}
		k.State, k.EndedAt, k.UpdatedAt = backfill.JobCancelled, time.Now().UTC(), time.Now().UTC()
		_, err := all.Put(ctx, k.Job, k.Revision)
		if err == nil {
			b.Say("%s: cancelled after %d events; stored events remain", k.ID, k.Events)
			return nil
		}
		if !errors.Is(err, pipeline.ErrChanged) {
			return err
		}
		if k, err = b.job(ctx, all, k.ID); err != nil { // the holder has updated it: try again
			return err
		}
	}
}

// jobsNamed requires job ids as arguments.
func jobsNamed(most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return problem.Usage("a job is missing", "usage: "+cmd.UseLine(), "signal-client backfill list")
		}
		return cli.Named(most)(cmd, args)
	}
}

// each calls f with each of the named jobs.
func (b *backfillCommand) each(cmd *cobra.Command, ids []string, f func(context.Context, *buckets.Backfills, buckets.KeptJob) error) error {
	all, done, err := b.jobs(cmd)
	if err != nil {
		return err
	}
	defer done()
	for _, id := range ids {
		k, err := b.job(cmd.Context(), all, id)
		if err == nil {
			err = f(cmd.Context(), all, k)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *backfillCommand) jobs(cmd *cobra.Command) (*buckets.Backfills, func(), error) {
	store, done, err := b.Connect(cmd)
	return &buckets.Backfills{Store: store}, done, err
}

func (b *backfillCommand) job(ctx context.Context, all *buckets.Backfills, id string) (buckets.KeptJob, error) {
	kept, err := all.All(ctx)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return buckets.KeptJob{}, err
	}
	i := slices.IndexFunc(kept, func(k buckets.KeptJob) bool { return k.ID == id })
	if i < 0 {
		return buckets.KeptJob{}, &problem.Error{Op: fmt.Sprintf("no backfill %q", id), Err: errors.New(jets.BucketBackfills + " holds none of that name"), Hint: "signal-client backfill list", Code: problem.Failed}
	}
	return kept[i], kept[i].Err
}

// completeJobs completes job ids that are not given yet.
func (b *backfillCommand) completeJobs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return cli.Offered(cmd, func(ctx context.Context, store *jets.Store) (all []cobra.Completion) {
		kept, _ := (&buckets.Backfills{Store: store}).All(ctx)
		for _, k := range kept {
			if !slices.Contains(args, k.ID) {
				all = append(all, cobra.CompletionWithDesc(k.ID, k.Instance))
			}
		}
		return all
	})
}

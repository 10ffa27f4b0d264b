package backfill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

func newBackfillList(p *cli.Program) *cobra.Command {
	b := &backfillCommand{CommandContext: cli.CommandContext{Program: p}}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the jobs, the newest first",
		RunE:    func(cmd *cobra.Command, _ []string) error { return b.list(cmd) },
	}
	cmd.Flags().BoolVar(&b.json, "json", false, "print one JSON document")
	cmd.Flags().StringVar(&b.Instance, "instance", "", "`name` of the org; default: all")
	return b.Connection(cmd)
}

func (b *backfillCommand) list(cmd *cobra.Command) error {
	all, done, err := b.jobs(cmd)
	if err != nil {
		return err
	}
	defer done()
	kept, err := all.All(cmd.Context())
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return err
	}
	now := time.Now()
	jobs := []backfill.Job{}
	g := term.Grid{Title: "Backfills", Header: []string{"job", "instance", "state", "done", "events", "stored", "left", "since", "until", "last error"}, Now: now}
	for _, k := range slices.Backward(kept) {
		j := k.Job
		if b.Instance != "" && j.Instance != b.Instance {
			continue
		}
		if err := k.Err; err != nil {
			j.LastError = "can't be read: " + err.Error()
		}
		jobs = append(jobs, j)
		g.Rows = append(g.Rows, []any{j.ID, j.Instance, string(j.State), part(j), j.Events, j.Stored, left(j, now), j.Since, j.Until, j.LastError})
	}
	if len(jobs) == 0 && b.Instance != "" {
		if err := b.Unknown(cmd.Context(), all.Store, b.Instance); err != nil {
			return err
		}
	}
	if b.json {
		return term.WriteJSON(b.Out(), jobs)
	}
	return g.Print(b.Out())
}

// part returns the share of a job's span that is done.
func part(j backfill.Job) string {
	span := j.Until.Sub(j.Since)
	if span <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(j.DoneThrough.Sub(j.Since))/float64(span))
}

// left returns a job's estimated time left.
func left(j backfill.Job, now time.Time) string {
	if d := j.Left(now); d > 0 {
		return term.Span(d)
	}
	return "-"
}

func newBackfillShow(p *cli.Program) *cobra.Command {
	b := &backfillCommand{CommandContext: cli.CommandContext{Program: p}}
	var watch bool
	cmd := &cobra.Command{
		Use:               "show <job>",
		Short:             "Show a job, or follow it",
		Args:              jobsNamed(1),
		ValidArgsFunction: b.completeJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.each(cmd, args, func(ctx context.Context, all *buckets.Backfills, k buckets.KeptJob) error {
				if watch {
					return b.watch(ctx, all, k)
				}
				return b.show(k.Job, b.obstacle(ctx, all.Store, k.Job))
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "follow it until it ends")
	cmd.Flags().BoolVar(&b.json, "json", false, "print JSON; with --watch one line per change")
	return b.Connection(cmd)
}

// obstacle returns why a job makes no progress; empty: no known reason.
func (b *backfillCommand) obstacle(ctx context.Context, store *jets.Store, j backfill.Job) string {
	if j.Ended() {
		return ""
	}
	b.Instance = j.Instance
	i, err := b.Integration(ctx, store)
	switch {
	case errors.Is(err, orgs.ErrNotFound):
		return fmt.Sprintf("%s is no longer an integration; to end the job: signal-client backfill cancel %s", j.Instance, j.ID)
	case err != nil:
		return err.Error()
	case !i.Enabled:
		return fmt.Sprintf("%[1]s is disabled: signal-client integrations enable %[1]s", j.Instance)
	}
	return ""
}

func (b *backfillCommand) show(j backfill.Job, obstacle string) error {
	if b.json {
		return term.WriteJSON(b.Out(), j)
	}
	var s strings.Builder
	now := time.Now()
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&s, "%-12s %s\n", name, term.Printable(fmt.Sprintf(format, args...)))
	}
	line("job", "%s", j.ID)
	line("instance", "%s", j.Instance)
	line("state", "%s", j.State)
	if obstacle != "" {
		line("held up", "%s", obstacle)
	}
	line("span", "%s to %s", j.Since.Format(time.RFC3339), j.Until.Format(time.RFC3339))
	line("done", "%s, through %s", part(j), j.DoneThrough.Format(time.RFC3339))
	line("events", "%d in %d pages and %d windows; %d stored, %d stored before", j.Events, j.Pages, j.Windows, j.Stored, j.Events-j.Stored-j.DeadLetters)
	if j.DeadLetters > 0 {
		line("dead letters", "%d", j.DeadLetters)
	}
	if !j.Ended() {
		line("left", "%s", left(j, now))
	}
	line("share", "%g of the org's rate limit", j.Share)
	if j.Holder != "" {
		line("holder", "%s, %s", j.Holder, term.Relative(j.UpdatedAt, now))
	}
	if j.LastError != "" {
		line("last error", "%s", j.LastError)
	}
	_, err := io.WriteString(b.Out(), s.String())
	return err
}

// watch follows a job until it ends, in one line on a terminal, else in a line per change.
func (b *backfillCommand) watch(ctx context.Context, all *buckets.Backfills, k buckets.KeptJob) error {
	line := &term.ProgressLine{To: b.Out()}
	defer line.Done()
	for {
		if err := b.tell(line, k.Job); err != nil || k.Ended() {
			return err
		}
		seen := k.Revision
		for k.Revision == seen {
			if err := pipeline.Sleep(ctx, time.Second); err != nil {
				return err
			}
			next, err := b.job(ctx, all, k.ID)
			if err != nil {
				return err
			}
			k = next
		}
	}
}

func (b *backfillCommand) tell(line *term.ProgressLine, j backfill.Job) error {
	if b.json {
		data, err := json.Marshal(j)
		if err == nil {
			_, err = fmt.Fprintf(b.Out(), "%s\n", data)
		}
		return err
	}
	text := fmt.Sprintf("%s  %s  %s done  %d events  %d stored  left %s", j.ID, j.State, part(j), j.Events, j.Stored, left(j, time.Now()))
	if j.LastError != "" {
		text += "  " + j.LastError
	}
	line.Show(text)
	return nil
}

package run

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// backlogs gives instances' runners their backfills. It is safe for concurrent use.
type backlogs struct {
	kept    *buckets.Backfills
	room    *pipeline.Gate // bounds batches in memory, over all instances; nil: no bound
	replica func() string
	log     *slog.Logger

	jobs atomic.Pointer[map[string][]buckets.KeptJob] // by the instance's key, the oldest first; nil: not known yet
}

// Run keeps the jobs up to date until ctx ends.
func (b *backlogs) Run(ctx context.Context) error {
	return b.kept.Watch(ctx, func(jobs map[string][]buckets.KeptJob) { b.jobs.Store(&jobs) })
}

// first returns an instance's oldest job that has not ended.
func (b *backlogs) first(i pipeline.Integration) (buckets.KeptJob, bool) {
	jobs := b.jobs.Load()
	if jobs == nil {
		return buckets.KeptJob{}, false
	}
	for _, j := range (*jobs)[jets.Key(i.Kind.Name, i.Instance)] {
		if j.Err == nil && !j.Ended() {
			return j, true
		}
	}
	return buckets.KeptJob{}, false
}

// Of returns an instance's backlog; ask makes a job's source.
func (b *backlogs) Of(i pipeline.Integration, ask func(share float64) pipeline.Source) pipeline.Backlog {
	return &backlog{backlogs: b, of: i, ask: ask}
}

// backlog runs one instance's jobs, one after another.
type backlog struct {
	*backlogs
	of  pipeline.Integration
	ask func(share float64) pipeline.Source

	at       *backfill.Backfill // nil: none is running
	revision uint64             // of its job
}

var _ pipeline.Backlog = (*backlog)(nil)

// Next implements pipeline.Backlog.
func (b *backlog) Next(ctx context.Context, due time.Time) (*pipeline.Past, error) {
	job, ok := b.first(b.of)
	if !ok {
		b.at = nil
		return nil, nil
	}
	if b.at == nil || b.at.Job.ID != job.ID {
		b.begin(job)
	}
	if b.at.Job.Ended() {
		return nil, nil // the watch will show the next job
	}
	return b.next(ctx, due)
}

// leastTurn is the least time that a backfill waits for its turn, even if the head is due
// sooner: otherwise an instance with slow polls would never get a turn.
const leastTurn = time.Second

// next returns the job's next batch, if there is memory for one more before due.
func (b *backlog) next(ctx context.Context, due time.Time) (*pipeline.Past, error) {
	turn, cancel := context.WithTimeout(ctx, max(time.Until(due), leastTurn))
	defer cancel()
	room, err := b.room.Take(turn, 1, true)
	if err != nil {
		return nil, nil // another instance has it; the head is polled first
	}
	past, err := b.at.Next(ctx, due)
	if past == nil {
		room.Release()
		return nil, err
	}
	past.Memory = room
	return past, err
}

func (b *backlog) begin(job buckets.KeptJob) {
	b.log.Info("backfill starts", "instance", b.of.Instance, "job", job.ID, "since", job.Since, "until", job.Until, "done_through", job.DoneThrough)
	b.revision = job.Revision
	b.at = &backfill.Backfill{Job: job.Job, Source: b.ask(job.Share), Window: b.of.Kind.Window(b.of), Save: b.save}
}

// save writes the job. If somebody else has written it, it was cancelled, or another
// process runs it: the stored job counts.
func (b *backlog) save(ctx context.Context, j backfill.Job) error {
	j.Holder = b.replica()
	revision, err := b.kept.Put(ctx, j, b.revision)
	if errors.Is(err, pipeline.ErrChanged) {
		b.at = nil
		return nil
	}
	if err != nil {
		return err
	}
	b.revision = revision
	if j.State == backfill.JobDone {
		b.log.Info("backfill done", "instance", b.of.Instance, "job", j.ID, "events", j.Events, "stored", j.Stored, "took", time.Since(j.StartedAt).Round(time.Second))
	}
	return nil
}

// Stored implements pipeline.Backlog.
func (b *backlog) Stored(ctx context.Context, r pipeline.Receipt) error {
	if b.at == nil {
		return nil
	}
	return b.at.Stored(ctx, r)
}

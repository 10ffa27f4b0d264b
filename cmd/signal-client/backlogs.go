package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/jets"
)

// backlogs gives the runners of instances their backfills, as they stand in
// BACKFILLS. It is safe for concurrent use.
type backlogs struct {
	kept    *jets.Backfills
	room    *pipeline.Gate // of batches in memory, of all instances together; nil: no bound
	replica func() string
	log     *slog.Logger

	mu   sync.Mutex
	jobs map[string][]jets.KeptJob // by instance, the oldest first
}

// Run keeps informed of the jobs until ctx ends.
func (b *backlogs) Run(ctx context.Context) error {
	return b.kept.Watch(ctx, func(jobs map[string][]jets.KeptJob) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.jobs = jobs
	})
}

// first is the oldest job of an instance that has not ended.
func (b *backlogs) first(instance string) (jets.KeptJob, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, j := range b.jobs[instance] {
		if j.Err == nil && !j.Ended() {
			return j, true
		}
	}
	return jets.KeptJob{}, false
}

// Of is the backlog of an instance. ask makes the source for a job, within its
// share; window makes its requests.
func (b *backlogs) Of(instance string, ask func(share float64) pipeline.Source, window pipeline.Window) pipeline.Backlog {
	return &backlog{backlogs: b, instance: instance, ask: ask, window: window}
}

// backlog is one instance's: one job after another.
type backlog struct {
	*backlogs
	instance string
	ask      func(share float64) pipeline.Source
	window   pipeline.Window

	at       *backfill.Backfill // nil: none is under way
	revision uint64             // of its job as it stands
}

var _ pipeline.Backlog = (*backlog)(nil)

// Next implements pipeline.Backlog.
func (b *backlog) Next(ctx context.Context, due time.Time) (*pipeline.Past, error) {
	job, ok := b.first(b.instance)
	if !ok {
		b.at = nil
		return nil, nil
	}
	if b.at == nil || b.at.Job.ID != job.ID {
		b.begin(job)
	}
	if b.at.Job.Ended() {
		return nil, nil // and the watch is about to tell
	}
	return b.next(ctx, due)
}

// leastTurn is how long a backfill waits for its turn at least, however soon the
// head is to be polled again: else one whose polls take long would never have it.
const leastTurn = time.Second

// next brings the job's next batch, if there is room for one more before due.
func (b *backlog) next(ctx context.Context, due time.Time) (*pipeline.Past, error) {
	turn, cancel := context.WithTimeout(ctx, max(time.Until(due), leastTurn))
	defer cancel()
	room, err := b.room.Take(turn, 1, true)
	if err != nil {
		return nil, nil // it is another's; the head is polled first
	}
	past, err := b.at.Next(ctx, due)
	if past == nil {
		room.Release()
		return nil, err
	}
	past.Memory = room
	return past, err
}

func (b *backlog) begin(job jets.KeptJob) {
	b.log.Info("backfill begins", "instance", b.instance, "job", job.ID, "since", job.Since, "until", job.Until, "done_through", job.DoneThrough)
	b.revision = job.Revision
	b.at = &backfill.Backfill{Job: job.Job, Source: b.ask(job.Share), Window: b.window, Save: b.save}
}

// save writes the job. When somebody else has written it, he cancelled it, or
// works on it: what stands is gone on from.
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
		b.log.Info("backfill done", "instance", b.instance, "job", j.ID, "events", j.Events, "stored", j.Stored, "took", time.Since(j.StartedAt).Round(time.Second))
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

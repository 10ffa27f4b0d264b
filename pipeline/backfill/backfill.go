// Package backfill fetches an org's events of a span of the past, to store those that are
// missing. A [Job] is the span and its progress; a [Backfill] runs it as the
// pipeline.Backlog of the instance's Runner. The sink finds the events that are stored
// already. Start reading at [Backfill].
package backfill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Backfill runs a Job as a Backlog of its instance's Runner: it requests the job's span
// window by window and page by page, in order of publication.
//
// A restart finds the job at the beginning of the current window and requests it again;
// events that are stored already are recognised by their ids.
type Backfill struct {
	Job    Job
	Source pipeline.Source // limited to the job's share
	Window pipeline.Window
	Save   func(ctx context.Context, j Job) error // writes the job; called after each window and each error

	until   time.Time     // end of the current window; zero: none is open
	link    pipeline.Link // its next page
	pages   int           // pages read of it
	empties int           // empty pages in a row
	taken   batch         // the batch that Next returned last
}

var _ pipeline.Backlog = (*Backfill)(nil)

// batch is what Next returned last, until Stored is called for it.
type batch struct {
	events int
	pages  int
	bytes  int
	next   pipeline.Link // the window's next link; empty: the window is complete
}

const (
	firstWindow = time.Hour
	leastWindow = time.Minute
	mostWindow  = 24 * time.Hour

	// A batch ends after batchPages pages or batchBytes bytes; each costs a poll of the head.
	batchPages = 4
	batchBytes = 8 << 20
	// After a window of more than manyPages pages the next one is half as long; after
	// fewer than fewPages, twice as long.
	manyPages, fewPages = 16, 4
)

// Next implements Backlog.
func (b *Backfill) Next(ctx context.Context, due time.Time) (*pipeline.Past, error) {
	if b.Job.Ended() {
		return nil, nil
	}
	b.open()
	past := &pipeline.Past{Why: pipeline.WhyBackfill, Link: b.link}
	past.From, past.Until = b.day()
	b.taken = batch{next: b.link}
	for b.more(due) {
		page, err := b.Source.Poll(ctx, b.taken.next)
		if err != nil {
			b.failed(ctx, err)
			return nil, fmt.Errorf("backfill %s from %s: %w", b.Job.ID, b.Job.DoneThrough.Format(time.RFC3339), err)
		}
		b.take(past, page)
	}
	return past, nil
}

// more reports whether a batch takes one more page; it always takes the first.
func (b *Backfill) more(due time.Time) bool {
	full := b.taken.pages == batchPages || b.taken.bytes >= batchBytes || !time.Now().Before(due)
	return b.taken.next != "" && (b.taken.pages == 0 || !full)
}

func (b *Backfill) open() {
	if !b.until.IsZero() {
		return
	}
	b.Job.StartedAt = cmp.Or(b.Job.StartedAt, time.Now().UTC())
	b.Job.State = JobRunning
	from := b.Job.DoneThrough
	_, end := b.day()
	length := time.Duration(b.Job.WindowSeconds * float64(time.Second)).Truncate(time.Second)
	b.until = pipeline.Earlier(from.Add(min(max(length, leastWindow), mostWindow)), end)
	b.link, b.pages, b.empties = b.Window(from, b.until), 0, 0
}

// day is the part of the job's span that lies in the day of DoneThrough.
func (b *Backfill) day() (from, until time.Time) {
	day := b.Job.DoneThrough.Truncate(24 * time.Hour)
	return pipeline.Later(day, b.Job.Since), pipeline.Earlier(day.Add(24*time.Hour), b.Job.Until)
}

// take adds a page to the batch, without the events published outside the window: their
// ids belong to another day.
//
// It releases the page's memory although the events are kept: the poll of the head that
// the batch waits for may need that memory. A batch has a bound of its own.
func (b *Backfill) take(past *pipeline.Past, page pipeline.Page) {
	defer page.Memory.Release()
	var newest time.Time
	for _, e := range page.Events {
		if e.Published.IsZero() || !e.Published.Before(b.Job.DoneThrough) && e.Published.Before(b.until) {
			past.Events = append(past.Events, e)
			newest = pipeline.Later(newest, e.Published)
		}
	}
	b.taken.events += len(page.Events)
	b.taken.pages++
	b.taken.bytes += page.Bytes
	b.taken.next = b.Window.After(page, newest, b.until, &b.empties)
}

// failed records an error. After a refused cursor the window is requested from its beginning.
func (b *Backfill) failed(ctx context.Context, err error) {
	b.taken = batch{}
	b.Job.LastError, b.Job.UpdatedAt = err.Error(), time.Now().UTC()
	_ = b.Save(ctx, b.Job) // the caller reports the first error, and Save is tried again after the next batch
	if errors.Is(err, pipeline.ErrCursor) {
		b.until = time.Time{}
	}
}

// Stored implements Backlog. Its error is Save's; the job continues with what is in memory.
func (b *Backfill) Stored(ctx context.Context, r pipeline.Receipt) error {
	j := &b.Job
	j.Pages += uint64(b.taken.pages)
	j.Events += uint64(b.taken.events)
	j.Stored += uint64(r.Stored)
	j.DeadLetters += uint64(r.DeadLetters)
	j.LastError = ""
	b.pages += b.taken.pages
	b.link = b.taken.next
	if b.link == "" {
		b.close()
	}
	j.UpdatedAt = time.Now().UTC()
	j.LeftSeconds = j.Left(j.UpdatedAt).Seconds()
	return b.Save(ctx, *j)
}

func (b *Backfill) close() {
	j := &b.Job
	length := b.until.Sub(j.DoneThrough)
	switch {
	case b.pages > manyPages:
		j.WindowSeconds = max(length/2, leastWindow).Seconds()
	case b.pages < fewPages:
		j.WindowSeconds = min(max(2*length, time.Duration(j.WindowSeconds*float64(time.Second))), mostWindow).Seconds()
	}
	j.Windows++
	j.DoneThrough = b.until
	b.until = time.Time{}
	if !j.DoneThrough.Before(j.Until) {
		j.State, j.EndedAt = JobDone, time.Now().UTC()
	}
}

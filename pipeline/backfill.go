package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Backfill carries a Job out, as a Backlog of its instance's Runner: it asks for
// one window of the job's span after another, and for the pages of each, in the
// order in which the events were published.
//
// A restart begins again with the window at hand: what of it is stored already is
// known by its ids.
type Backfill struct {
	Job    Job
	Source Source // asks within the job's share
	Window Window
	Save   func(ctx context.Context, j Job) error // writes the job; called after each window

	until   time.Time // where the window at hand ends; zero: none is
	link    Link      // its next page
	pages   int       // of it so far
	empties int       // the newest ones in a row that were empty
	taken   batch     // what Next brought last
}

var _ Backlog = (*Backfill)(nil)

// batch is what a Backfill brought and is not told of yet.
type batch struct {
	events int
	pages  int
	bytes  int
	next   Link // of the window, after it; empty: the window ends with it
}

const (
	firstWindow = time.Hour
	leastWindow = time.Minute
	mostWindow  = 24 * time.Hour

	// batchPages is how many pages are brought at a time, and batchBytes after
	// how many bytes it is enough. Each batch costs one poll of the head.
	batchPages = 4
	batchBytes = 8 << 20
	// A window of so many pages, or so few, is followed by one half or twice as long.
	manyPages, fewPages = 16, 4
)

// Next implements Backlog.
func (b *Backfill) Next(ctx context.Context, due time.Time) (*Past, error) {
	if b.Job.Ended() {
		return nil, nil
	}
	b.open()
	past := &Past{Why: WhyBackfill, Link: b.link}
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

// more reports whether a batch is to have one more page: its first one in any case.
func (b *Backfill) more(due time.Time) bool {
	full := b.taken.pages == batchPages || b.taken.bytes >= batchBytes || !time.Now().Before(due)
	return b.taken.next != "" && (b.taken.pages == 0 || !full)
}

// open begins the window after what is done, unless one is at hand.
func (b *Backfill) open() {
	if !b.until.IsZero() {
		return
	}
	if b.Job.StartedAt.IsZero() {
		b.Job.StartedAt = time.Now().UTC()
	}
	b.Job.State = JobRunning
	from := b.Job.DoneThrough
	_, end := b.day()
	length := time.Duration(b.Job.WindowSeconds * float64(time.Second)).Truncate(time.Second)
	b.until = from.Add(min(max(length, leastWindow), mostWindow))
	if b.until.After(end) {
		b.until = end
	}
	b.link, b.pages, b.empties = b.Window(from, b.until), 0, 0
}

// day is the part of the job's span that lies in the day at hand.
func (b *Backfill) day() (from, until time.Time) {
	from = b.Job.DoneThrough.Truncate(24 * time.Hour)
	until = from.Add(24 * time.Hour)
	if from.Before(b.Job.Since) {
		from = b.Job.Since
	}
	if until.After(b.Job.Until) {
		until = b.Job.Until
	}
	return from, until
}

// take adds a page to a batch. An event that was published outside the window is
// left to the window that it belongs to: its ids are not those of this day.
//
// The page's memory counts no longer, though its events are kept: the poll of the
// head that the batch waits for may need it, and a batch is bounded by itself.
func (b *Backfill) take(past *Past, page Page) {
	defer page.Memory.Release()
	var newest time.Time
	for _, e := range page.Events {
		if e.Published.IsZero() || !e.Published.Before(b.Job.DoneThrough) && e.Published.Before(b.until) {
			past.Events = append(past.Events, e)
			newest = newer(newest, e.Published)
		}
	}
	b.taken.events += len(page.Events)
	b.taken.pages++
	b.taken.bytes += page.Bytes
	b.taken.next = b.Window.after(page, newest, b.until, &b.empties)
}

// failed takes note of an error. A window whose cursor was refused is asked for
// from its beginning.
func (b *Backfill) failed(ctx context.Context, err error) {
	b.taken = batch{}
	b.Job.LastError, b.Job.UpdatedAt = err.Error(), time.Now().UTC()
	_ = b.Save(ctx, b.Job) // it is told by the caller, and again with the next window
	if errors.Is(err, ErrCursor) {
		b.until = time.Time{}
	}
}

// Stored implements Backlog. It returns Save's error: the job goes on from what
// it knows.
func (b *Backfill) Stored(ctx context.Context, r Receipt) error {
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

// close ends the window at hand and fits the next one.
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

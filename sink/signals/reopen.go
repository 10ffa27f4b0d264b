package signals

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// clockDoubt is how far the org's clock and ours may be apart before both are doubted.
const clockDoubt = time.Hour

// opening is a query that begins with the next page. Its position is written when the org has
// answered it: a request that is never answered, because a host name or a filter was mistyped,
// moves nothing. A restart finds the previous position and drafts the query again.
type opening struct {
	begin  func(now time.Time) time.Time                               // its beginning, by the org's clock
	draft  func(context.Context, time.Time) (pipeline.Position, error) // its position, for a beginning
	since  time.Time                                                   // its current beginning
	stored bool                                                        // its position is written, because there was none before
}

// open drafts a new query, whose position becomes the current one.
func (s *Sink) open(ctx context.Context, o opening) error {
	o.since = o.begin(s.query.now())
	next, err := o.draft(ctx, o.since)
	if err != nil {
		return err
	}
	next.At, next.Seq = time.Now().UTC(), s.at.Seq // fenced by the previous position
	s.at, s.opening, s.fresh = next, &o, true
	return nil
}

// begin writes, before the first page after a sync, the position of a new query, and a
// gap if there is one. It reports whether it wrote anything.
func (s *Sink) begin(ctx context.Context, page pipeline.Page) (bool, error) {
	if !s.fresh {
		return false, nil
	}
	now := s.query.now()
	date := cmp.Or(page.Date, now)
	sure := date.Sub(now).Abs() <= clockDoubt // else the next answers decide whose clock is wrong
	next, write := s.at, false
	if o := s.opening; o != nil {
		write = !o.stored
		// The draft's beginning was computed before the org's clock was known.
		if since := o.begin(date); since.Before(o.since.Add(-clockSlack)) {
			if err := s.beginEarlier(ctx, since); err != nil {
				return false, err
			}
			return false, fmt.Errorf("query of %s begins at %s: %w", s.instance, since.Format(time.RFC3339), errClock)
		}
	}
	if unread := s.stood.Why == pipeline.WhyStart && s.stood.CompleteThrough.Equal(s.stood.PublishedMax); write && unread && next.CompleteThrough.After(s.opening.since) {
		next.CompleteThrough, next.Why = s.opening.since, pipeline.WhyStart // the start's watermark came from a clock ahead of the org's
	}
	if gap := s.passedOver(date); gap != nil && sure {
		if next.Gap, write = gap, true; s.opening == nil {
			next.Why, next.Events = pipeline.WhyGap, 0
		}
		s.trace.PassedOver(s.instance, *gap)
		s.log.Error("events may be missed: the org no longer keeps them", "from", gap.From, "until", gap.Until)
	}
	if write {
		if err := s.place(ctx, next); err != nil {
			return false, err
		}
	}
	s.opening, s.fresh = nil, !sure
	return write, nil
}

const clockSlack = 2 * time.Minute

// errClock: this machine's clock was ahead of the org's when the query was drafted.
var errClock = errors.New("this machine's clock is ahead of the org's: the query begins earlier")

// beginEarlier writes the drafted query's position with an earlier beginning.
func (s *Sink) beginEarlier(ctx context.Context, since time.Time) error {
	next, err := s.opening.draft(ctx, since)
	if err != nil {
		return err
	}
	return s.place(ctx, next)
}

// passedOver returns the time that was not read and that the org no longer keeps; nil: none.
// What was published up to the watermark, or the overlap before published_max, was read.
func (s *Sink) passedOver(now time.Time) *pipeline.Gap {
	known := s.stood.CompleteThrough
	if !s.stood.PublishedMax.IsZero() {
		known = pipeline.Later(known, s.stood.PublishedMax.Add(-s.store.Kind.Lateness))
	}
	edge := now.Add(-s.store.Kind.Retention).UTC()
	gap := &pipeline.Gap{From: known.UTC(), Until: edge}
	if before := s.stood.Gap; before != nil && !known.After(before.Until) {
		known, gap.From = before.Until, before.From
	}
	if known.IsZero() || !known.Before(edge) {
		return nil
	}
	return gap
}

// Reopen implements pipeline.Sink. The new query is written with its first page.
func (s *Sink) Reopen(ctx context.Context, at pipeline.Position) (pipeline.Position, error) {
	if at.Seq == 0 || at.Seq != s.at.Seq {
		return pipeline.Position{}, fmt.Errorf("reopen after position %d, the newest is %d: %w", at.Seq, s.at.Seq, pipeline.ErrFenced)
	}
	ctx, done, err := s.bind(ctx)
	if err != nil {
		return pipeline.Position{}, err
	}
	defer done()
	if o := s.opening; o != nil && !o.stored {
		err = s.open(ctx, *o) // the same draft, but by the org's clock, which the refusals may have shown
	} else {
		err = s.reopen(ctx)
	}
	if err != nil {
		return pipeline.Position{}, err
	}
	if err := s.load(ctx); err != nil { // other ids must be compared now
		return pipeline.Position{}, fmt.Errorf("load recent ids: %w", err)
	}
	return s.at, nil
}

// reopen drafts a query that starts from published_max minus the overlap: never from now
// or the time of a poll, which would skip events persisted while nobody polled, and never
// from complete_through.
//
// dedupe_from stays set until the head of the log, through any number of crashes, so that
// everything that the new query serves again is compared.
func (s *Sink) reopen(ctx context.Context) error {
	at := s.at
	s.stood = at
	return s.open(ctx, opening{begin: func(now time.Time) time.Time { return s.back(at, now) },
		draft: func(ctx context.Context, since time.Time) (pipeline.Position, error) {
			anchor, err := s.anchor(ctx, since)
			if err != nil {
				return pipeline.Position{}, err
			}
			next := at
			next.Version, next.Query = pipeline.PositionVersion, s.query.Hash
			next.Link, next.Why, next.Events = s.query.Start(since), pipeline.WhyReopen, 0
			next.DedupeFrom = earliest(at.DedupeFrom, anchor)
			if since.Before(at.PublishedMax.Add(-s.store.Kind.Lateness)) { // published_max came from a wrong clock
				next.PublishedMax = since
			}
			return next, nil
		}})
}

// back returns where a query must begin to miss nothing unread. A published_max in the
// future by the org's clock came from a start with a wrong clock: then since is used, or
// the watermark if that is earlier.
func (s *Sink) back(at pipeline.Position, now time.Time) time.Time {
	since := at.PublishedMax.Add(-s.store.Kind.Lateness)
	if !since.After(now) {
		return s.store.Kind.Clamp(since, now)
	}
	since = s.since(now)
	if through := at.CompleteThrough.Add(-s.store.Kind.Lateness); !at.CompleteThrough.IsZero() && through.Before(since) {
		since = s.store.Kind.Clamp(through, now)
	}
	return since
}

// anchor returns the first sequence whose events a query that starts at since may serve
// again: that of the newest position with none before it, else the first message kept.
//
// The new query serves events persisted at since or later. An event stored at or before a
// position was published at its published_max at the latest, and persisted at most the
// overlap later: so the anchor's published_max lies the overlap before since. Comparing
// with since itself would double an event published just before since and persisted just
// after.
func (s *Sink) anchor(ctx context.Context, since time.Time) (uint64, error) {
	seq, _, err := s.anchorOf(ctx, since, s.at.Org)
	return seq, err
}

// anchorOf is anchor for an org's query. The published_max of another org's position says
// nothing about its events. known: a position may be this org's.
func (s *Sink) anchorOf(ctx context.Context, since time.Time, org string) (seq uint64, known bool, err error) {
	for e, err := range s.history(ctx, s.at.Seq) {
		if err != nil {
			return 0, false, fmt.Errorf("look for the anchor: %w", err)
		}
		p := e.position
		if e.err != nil || !sameOrg(p.Org, org) {
			continue
		}
		if known = true; p.DedupeFrom == 0 && p.PublishedMax.Before(since.Add(-s.store.Kind.Lateness)) {
			return e.seq, known, nil
		}
	}
	return max(s.stream.First, 1), known, nil
}

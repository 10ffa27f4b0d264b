package jets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// overlap is how far before the newest published a reopened query starts: an
// event that Okta persists more than this after it was published may be missed
// or doubled when a reopening falls in between. Okta names no bound ("rare").
const overlap = time.Hour

// opening is a query that begins with the next page. What is to become its position is
// written when the org has answered it, and not before: a request that is never
// answered, since a host name or a filter was mistyped, moves nothing. A restart
// finds the position before it, and drafts it again.
type opening struct {
	begin  func(now time.Time) time.Time                               // where it begins, by the org's clock
	draft  func(context.Context, time.Time) (pipeline.Position, error) // its position, to begin at a time
	since  time.Time                                                   // where it does begin
	stored bool                                                        // its position is written: there was none before it
}

// open drafts a new query and makes its position the one to go on from.
func (s *Sink) open(ctx context.Context, o opening) error {
	o.since = o.begin(s.query.now())
	next, err := o.draft(ctx, o.since)
	if err != nil {
		return err
	}
	next.At, next.Seq = time.Now().UTC(), s.at.Seq // the fence is that of the position before it
	s.at, s.opening, s.fresh = next, &o, true
	return nil
}

// begin writes, before the first page after a sync, what must stand before it: the
// position of a query that begins, and what may have been passed over. It reports
// whether it wrote anything.
func (s *Sink) begin(ctx context.Context, page pipeline.Page) (bool, error) {
	if !s.fresh {
		return false, nil
	}
	date, now := page.Date, s.query.now()
	if date.IsZero() {
		date = now
	}
	sure := date.Sub(now).Abs() <= overlap // else the next answers tell whose clock is wrong
	next, write := s.at, false
	if o := s.opening; o != nil {
		write = !o.stored
		// Where it begins was reckoned before the org had told its time.
		if since := o.begin(date); since.Before(o.since.Add(-clockSlack)) {
			if err := s.beginEarlier(ctx, since); err != nil {
				return false, err
			}
			return false, fmt.Errorf("query of %s begins at %s: %w", s.instance, since.Format(time.RFC3339), errClock)
		}
	}
	if unread := s.stood.Why == pipeline.WhyStart && s.stood.CompleteThrough.Equal(s.stood.PublishedMax); write && unread && next.CompleteThrough.After(s.opening.since) {
		next.CompleteThrough, next.Why = s.opening.since, pipeline.WhyStart // the start's was that of a clock ahead of the org's
	}
	if gap := s.passedOver(date); gap != nil && sure {
		if next.Gap, write = gap, true; s.opening == nil {
			next.Why, next.Events = pipeline.WhyGap, 0
		}
		s.trace.PassedOver(s.instance, *gap)
		s.log.Error("events may have been passed over: the org does not keep them any more", "from", gap.From, "until", gap.Until)
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

// errClock: this machine's clock was ahead of the org's when a query was drafted.
var errClock = errors.New("this machine's clock is ahead of the org's: the query begins earlier")

// beginEarlier writes the position of the query that was drafted, to begin at an
// earlier time.
func (s *Sink) beginEarlier(ctx context.Context, since time.Time) error {
	next, err := s.opening.draft(ctx, since)
	if err != nil {
		return err
	}
	return s.place(ctx, next)
}

// passedOver returns the time in whose log there may have been events that the org does
// not keep any more, and that were not read; nil: there is none. All up to the
// watermark was read, and all that was published the overlap before published_max.
func (s *Sink) passedOver(now time.Time) *pipeline.Gap {
	known := s.stood.CompleteThrough
	if !s.stood.PublishedMax.IsZero() {
		known = latest(known, s.stood.PublishedMax.Add(-overlap))
	}
	edge := now.Add(-pipeline.Retention).UTC()
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
		err = s.open(ctx, *o) // as drafted, but by the org's clock, of which the refusals may have told
	} else {
		err = s.reopen(ctx)
	}
	if err != nil {
		return pipeline.Position{}, err
	}
	if err := s.load(ctx); err != nil { // the ids that must be compared are others now
		return pipeline.Position{}, fmt.Errorf("load recent ids: %w", err)
	}
	return s.at, nil
}

// reopen drafts a query that starts from published_max: never from now or from the
// time of a poll, which would skip what was persisted while nobody polled, and never
// from complete_through.
//
// dedupe_from stays set until the head of the log, through any number of crashes: all
// that the new query serves again is compared.
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
			if since.Before(at.PublishedMax.Add(-overlap)) { // which was a wrong clock's
				next.PublishedMax = since
			}
			return next, nil
		}})
}

// back is where a query must begin to miss nothing that was not read up to a position.
// A published_max that lies ahead of the org's clock was a start's, by a clock that
// was wrong: since is all there is to go by, and the watermark if that is earlier.
func (s *Sink) back(at pipeline.Position, now time.Time) time.Time {
	since := at.PublishedMax.Add(-overlap)
	if !since.After(now) {
		return pipeline.Clamp(since, now)
	}
	since = s.query.Since.At(now)
	if through := at.CompleteThrough.Add(-overlap); !at.CompleteThrough.IsZero() && through.Before(since) {
		since = pipeline.Clamp(through, now)
	}
	return since
}

// anchor returns the sequence from which on events may be served again by a
// query that starts at since: that of the newest position of which none before it
// can be, or the first message kept.
//
// The new query serves what was persisted at since or later. An event at or
// before a position was published at its published_max at the latest, and
// persisted at most the overlap after that: so the anchor's published_max lies
// the overlap before since. Comparing it with since itself, without the
// overlap, would double an event that was published just before since and
// persisted just after.
func (s *Sink) anchor(ctx context.Context, since time.Time) (uint64, error) {
	seq, _, err := s.anchorOf(ctx, since, s.at.Org)
	return seq, err
}

// anchorOf is anchor for the query of an org. The published_max of another org's position
// says nothing of its events. known: a position may be this org's.
func (s *Sink) anchorOf(ctx context.Context, since time.Time, org string) (seq uint64, known bool, err error) {
	for e, err := range s.history(ctx, s.at.Seq) {
		if err != nil {
			return 0, false, fmt.Errorf("look for the anchor: %w", err)
		}
		p := e.position
		if e.err != nil || !sameOrg(p.Org, org) {
			continue
		}
		if known = true; p.DedupeFrom == 0 && p.PublishedMax.Before(since.Add(-overlap)) {
			return e.seq, known, nil
		}
	}
	return max(s.stream.First, 1), known, nil
}

package jets

import (
	"context"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// overlap is how far before the newest published a reopened query starts: an
// event that Okta persists more than this after it was published may be missed
// or doubled when a reopening falls in between. Okta names no bound ("rare").
const overlap = time.Hour

// Reopen implements pipeline.Sink. It ends with a Sync, since the ids that
// must be compared are others now.
func (s *Sink) Reopen(ctx context.Context, at pipeline.Position) (pipeline.Position, error) {
	if at.Seq == 0 || at.Seq != s.at.Seq {
		return pipeline.Position{}, fmt.Errorf("reopen after position %d, the newest is %d: %w", at.Seq, s.at.Seq, pipeline.ErrFenced)
	}
	if err := s.reopenBound(ctx); err != nil {
		return pipeline.Position{}, err
	}
	return s.Sync(ctx)
}

func (s *Sink) reopenBound(ctx context.Context) error {
	ctx, done, err := s.bind(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.reopen(ctx)
}

// reopen writes a position whose link starts a new query. It starts from
// published_max: never from now or from the time of a poll, which would skip what was
// persisted while nobody polled, and never from complete_through.
//
// dedupe_from stays set until a short page, through any number of crashes: all
// that the new query serves again is compared.
func (s *Sink) reopen(ctx context.Context) error {
	since := pipeline.Clamp(s.at.PublishedMax.Add(-overlap), s.query.now())
	anchor, err := s.anchor(ctx, since)
	if err != nil {
		return err
	}
	next := s.at
	next.Version, next.Query = pipeline.PositionVersion, s.query.Hash
	next.Link, next.Why, next.Events = s.query.Start(since), pipeline.WhyReopen, 0
	next.DedupeFrom = earliest(s.at.DedupeFrom, anchor)
	return s.place(ctx, next)
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
	for e, err := range s.history(ctx, s.at.Seq) {
		if err != nil {
			return 0, fmt.Errorf("look for the anchor: %w", err)
		}
		p := e.position
		if e.err == nil && p.DedupeFrom == 0 && p.PublishedMax.Before(since.Add(-overlap)) {
			return e.seq, nil
		}
	}
	return max(s.stream.First, 1), nil
}

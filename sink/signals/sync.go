package signals

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// syncTries is how often Sync retries when another writer moves between its reads and its
// write. Two concurrent syncs settle it in one or two.
const syncTries = 10

// Sync implements pipeline.Sink. It is the only place that sets position, fences, recent
// ids and the revision of CURSORS.
//
// The newest position in the stream is the truth, whatever CURSORS says; CURSORS is used
// only if the stream has none. The reads may be stale or outdated by another writer: the
// fences decide about every write that follows.
func (s *Sink) Sync(ctx context.Context) (pipeline.Position, error) {
	var err error
	for range syncTries {
		if err = s.sync(ctx); err == nil {
			return s.at, nil
		}
		s.streamChanged = s.streamChanged || jets.StreamChanged(err)
		if !errors.Is(err, pipeline.ErrFenced) && !s.streamChanged {
			break
		}
	}
	s.at = pipeline.Position{} // no commit before a successful sync
	return pipeline.Position{}, fmt.Errorf("sync %s: %w", s.instance, err)
}

func (s *Sink) sync(ctx context.Context) error {
	if err := s.store.Room(); err != nil {
		return err // before requests whose events could not be stored
	}
	place, err := s.store.Syncs.Take(ctx, 1, false)
	if err != nil {
		return err
	}
	defer place.Release()
	if s.streamChanged {
		if err := s.store.Ensure(ctx); err != nil {
			return err
		}
		s.streamChanged = false
	}
	ctx, done := s.store.Conn.Epoch(ctx) // all reads use one connection: see bind
	defer done()
	s.link = s.store.Conn.Generation()
	s.cursor = cursor{written: s.cursor.written}
	s.opening, s.fresh = nil, true
	s.span = pastIDs{} // loaded anew when it is needed: the history may be another
	// The order matters. CURSORS is read first: a concurrent writer can then only make
	// the stream look newer than CURSORS, never older, which would look like a loss. The
	// stream's extent is read before the position for the same reason.
	c, err := s.readCursor(ctx)
	if err != nil {
		return err
	}
	if s.stream, err = s.store.Conn.Extent(ctx); err != nil {
		return err
	}
	newest, err := s.newest(ctx)
	if err != nil {
		return err
	}
	if newest.seq == 0 || newest.err != nil {
		err = s.restore(ctx, newest.seq, c)
	} else {
		err = s.resume(ctx, newest, c)
	}
	if err != nil {
		return err
	}
	if err := s.heal(ctx, c); err != nil {
		return err
	}
	if s.opening == nil {
		s.stood = s.at
	}
	if err := s.suit(ctx); err != nil {
		return err
	}
	if err := s.load(ctx); err != nil {
		return fmt.Errorf("load recent ids: %w", err)
	}
	return nil
}

// newest returns the newest position that can be read. Its entry.seq is the sequence of
// the newest message on the subject, which is the fence in any case. seq 0: there is no
// message; err: none of them is a position.
func (s *Sink) newest(ctx context.Context) (entry, error) {
	m, err := s.store.Conn.Last(ctx, jets.StreamSignals, jets.SubjectPosition(s.store.Kind.Name, s.instance))
	if errors.Is(err, jets.ErrNoMessage) {
		return entry{}, nil
	}
	if err != nil {
		return entry{}, err
	}
	top := readEntry(m)
	if top.err == nil {
		return top, nil
	}
	if errors.Is(top.err, pipeline.ErrNewer) {
		return entry{}, top.err
	}
	s.log.Error("newest position can't be read; continuing from the one before", "sequence", top.seq, "err", top.err)
	for e, err := range s.history(ctx, top.seq) {
		switch {
		case err != nil:
			return entry{}, err
		case errors.Is(e.err, pipeline.ErrNewer):
			return entry{}, e.err
		case e.err == nil:
			e.seq = top.seq
			return e, nil
		}
	}
	return top, nil
}

// resume continues from the newest position in the stream. It sets s.at and s.lastEvent.
func (s *Sink) resume(ctx context.Context, newest entry, c *Cursor) error {
	stood := s.adopt(newest, c)
	if c != nil && c.StreamSeq > newest.seq && c.StreamCreated.Equal(s.stream.Created) {
		if err := s.explain(ctx, c); err != nil {
			return err
		}
	}
	if err := s.readLastEvent(ctx); err != nil {
		return err
	}
	if s.lastEvent > stood {
		// The position above these events was deleted, or a foreign client wrote them.
		// They must be compared, and no old fence may fit again.
		next := s.at
		next.Why, next.Events = pipeline.WhyCopy, 0
		next.DedupeFrom = earliest(s.at.DedupeFrom, stood)
		s.log.Warn("events above the newest position: comparing with all since", "dedupe_from", next.DedupeFrom)
		if err := s.place(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// adopt makes the newest readable position the current one and returns its own sequence.
func (s *Sink) adopt(newest entry, c *Cursor) (stood uint64) {
	s.at = newest.position
	stood = s.at.Seq // newest.seq is higher if newer messages are not positions
	s.at.Seq = newest.seq
	if s.follows(c, stood) {
		s.at.CompleteThrough = pipeline.Later(s.at.CompleteThrough, c.CompleteThrough) // idle polls update only CURSORS
		if c.Org != "" {
			s.at.Org, s.at.Assumed = c.Org, c.Assumed // so does a newly learned org id
		}
	}
	return stood
}

// follows reports whether CURSORS names the position s.at, whose message is at seq.
func (s *Sink) follows(c *Cursor, seq uint64) bool {
	return c != nil && c.StreamSeq == seq && c.Next == s.at.Link && c.StreamCreated.Equal(s.stream.Created)
}

// explain logs why the stream lacks a position that CURSORS names; the stream counts.
func (s *Sink) explain(ctx context.Context, c *Cursor) error {
	purged, err := s.purged(ctx, c)
	if err != nil {
		return err
	}
	if purged {
		s.log.Warn("newest positions were deleted", "cursor_seq", c.StreamSeq, "position_seq", s.at.Seq)
		return nil
	}
	s.trace.Lost(s.instance)
	s.log.Error("stream lost acknowledged events; continuing from what it kept",
		"cursor_seq", c.StreamSeq, "position_seq", s.at.Seq, "complete_through", s.at.CompleteThrough)
	return nil
}

// purged reports whether a cursor's position was removed on purpose: the stream is
// another one, or continues past a sequence that is empty now. False: acknowledged data
// is gone, because the stream ends before that sequence or has something else there.
func (s *Sink) purged(ctx context.Context, c *Cursor) (bool, error) {
	if !c.StreamCreated.Equal(s.stream.Created) {
		return true, nil
	}
	_, err := s.store.Conn.At(ctx, jets.StreamSignals, c.StreamSeq)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, jets.ErrNoMessage) {
		return false, err
	}
	return c.StreamSeq <= s.stream.Last, nil
}

// restore writes a first position if the stream has none that can be read: from CURSORS,
// or for a fresh start. fence is the sequence of the newest message on the subject, 0 for
// none. Invariant: no commit ever expects 0, because restore writes a position first.
func (s *Sink) restore(ctx context.Context, fence uint64, c *Cursor) error {
	s.at = pipeline.Position{Seq: fence}
	if err := s.readLastEvent(ctx); err != nil {
		return err
	}
	if c == nil {
		return s.start(ctx)
	}
	purged, err := s.purged(ctx, c)
	if err != nil {
		return err
	}
	if !purged {
		s.trace.Lost(s.instance)
		s.log.Error("stream lost acknowledged events; starting again at since", "cursor_seq", c.StreamSeq)
		return s.startAgain(ctx, c)
	}
	next := c.Position
	next.Why, next.Events = pipeline.WhyRestore, 0
	next.DedupeFrom = cmp.Or(next.DedupeFrom, c.StreamSeq)
	if !c.StreamCreated.Equal(s.stream.Created) {
		next.DedupeFrom = s.kept()
	}
	s.log.Warn("no position in the stream; continuing from the cursor", "link", next.Link, "dedupe_from", next.DedupeFrom)
	return s.place(ctx, next)
}

// since returns the beginning of a fresh start.
func (s *Sink) since(now time.Time) time.Time { return s.query.Since.At(now, s.store.Kind) }

// start writes the position of a fresh start at since; all kept events are compared.
func (s *Sink) start(ctx context.Context) error {
	now := s.query.now()
	since := s.since(now)
	s.log.Info("starting afresh", "since", since)
	if err := s.place(ctx, s.started(since)); err != nil {
		return err
	}
	s.stood = pipeline.Position{}
	if asked := s.query.Since.Asked(now); asked.Before(since.Add(-s.store.Kind.Lateness)) {
		s.stood.CompleteThrough = asked // the time before since was requested, but the org no longer keeps it
	}
	s.opening = &opening{since: since, begin: s.since, stored: true,
		draft: func(_ context.Context, since time.Time) (pipeline.Position, error) { return s.started(since), nil }}
	return nil
}

// started returns the position of a fresh start.
func (s *Sink) started(since time.Time) pipeline.Position {
	// Nothing persisted before since is requested, so both times hold.
	return pipeline.Position{
		Version: pipeline.PositionVersion, Link: s.query.Start(since), Origin: s.query.Origin, Query: s.query.Hash,
		CompleteThrough: since, PublishedMax: since, DedupeFrom: s.kept(), Why: pipeline.WhyStart, Org: s.org,
	}
}

// startAgain is a fresh start after the stream lost what the cursor names: at since, or
// where a reopening would start if that is earlier, so that an outage longer than since
// loses nothing more. The watermark moves back.
func (s *Sink) startAgain(ctx context.Context, c *Cursor) error {
	now := s.query.now()
	since := s.since(now)
	if reopened := s.store.Kind.Clamp(c.PublishedMax.Add(-s.store.Kind.Lateness), now); !c.PublishedMax.IsZero() && reopened.Before(since) {
		since = reopened
	}
	return s.place(ctx, pipeline.Position{
		Version: pipeline.PositionVersion, Link: s.query.Start(since), Origin: c.Origin, Query: s.query.Hash,
		CompleteThrough: pipeline.Earlier(since, c.CompleteThrough), PublishedMax: since, DedupeFrom: s.kept(), Why: pipeline.WhyStart,
		Org: c.Org, Assumed: c.Assumed, Gap: c.Gap, Extra: c.Extra,
	})
}

// place writes a position without a page, after s.at's fence, and makes it the newest. A
// restart finds it, or none of it.
func (s *Sink) place(ctx context.Context, next pipeline.Position) error {
	return s.placeWith(ctx, next, nats.Header{})
}

func (s *Sink) placeWith(ctx context.Context, next pipeline.Position, header nats.Header) error {
	next.At = time.Now().UTC()
	m, err := positionMessage(jets.SubjectPosition(s.store.Kind.Name, s.instance), next)
	if err != nil {
		return err
	}
	m.Header = header
	jets.Expect(m, s.at.Seq)
	next.Seq, err = s.send(ctx, s.messages(nil, m, ""))
	if err != nil {
		return err
	}
	s.at = next
	return nil
}

// readLastEvent reads the sequence of the instance's newest event; 0: none.
func (s *Sink) readLastEvent(ctx context.Context) error {
	s.lastEvent = 0
	m, err := s.store.Conn.Last(ctx, jets.StreamSignals, jets.SubjectEvents(s.store.Kind.Name, s.instance))
	if errors.Is(err, jets.ErrNoMessage) {
		return nil
	}
	if err != nil {
		return err
	}
	s.lastEvent = m.Seq
	s.query.Source = cmp.Or(s.query.Source, jets.HeaderText(m.Header, jets.HeaderSource)) // an operator may not know the source
	return nil
}

// kept returns the dedupe_from that covers all kept events; 0: there are none.
func (s *Sink) kept() uint64 {
	if s.lastEvent == 0 {
		return 0
	}
	return max(s.stream.First, 1)
}

// heal updates CURSORS from the stream.
func (s *Sink) heal(ctx context.Context, c *Cursor) error {
	if s.follows(c, s.at.Seq) && c.CompleteThrough.Equal(s.at.CompleteThrough) {
		return nil
	}
	if err := s.follow(ctx, true); err != nil {
		return err
	}
	return s.settle(ctx)
}

func earliest(a, b uint64) uint64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

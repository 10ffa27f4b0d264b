package jets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// syncTries is how often Sync reads again when another writer moves between its
// reads and its write. Two that sync at once settle it in one or two.
const syncTries = 10

// Sync implements pipeline.Sink. It is the only place that sets position,
// fences, recent ids and the revision of CURSORS.
//
// The newest position in the stream is the truth, whatever CURSORS says; CURSORS
// is asked only when the stream has none. What it reads may be stale or change
// under it: the fences have the last word on every write that follows.
func (s *Sink) Sync(ctx context.Context) (pipeline.Position, error) {
	var err error
	for range syncTries {
		if err = s.sync(ctx); err == nil {
			return s.at, nil
		}
		s.unfit = s.unfit || unfit(err)
		if !errors.Is(err, pipeline.ErrFenced) && !s.unfit {
			break
		}
	}
	s.at = pipeline.Position{} // no commit before a sync that succeeds
	return pipeline.Position{}, fmt.Errorf("sync %s: %w", s.instance, err)
}

func (s *Sink) sync(ctx context.Context) error {
	if err := s.store.room(); err != nil {
		return err // before the org is asked for what can't be stored
	}
	place, err := s.store.syncs.Take(ctx, 1, false)
	if err != nil {
		return err
	}
	defer place.Release()
	if s.unfit {
		if err := s.store.Ensure(ctx); err != nil {
			return err
		}
		s.unfit = false
	}
	ctx, done := s.store.Conn.Epoch(ctx) // all is read over one connection: see bind
	defer done()
	s.link = s.store.Conn.Generation()
	s.cursor = cursor{written: s.cursor.written}
	s.opening, s.fresh = nil, true
	s.span = span{} // loaded anew when it is needed: the history may be another
	// The order matters. CURSORS is read first: a writer at work can then only
	// make the stream look newer than it, never older, which would be a loss.
	// The stream's extent is read before the position for the same reason.
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

// newest returns the newest position that can be read, with the sequence of
// the newest message on its subject, which is the fence all the same: entry.seq.
// A seq of 0 says that there is no message, an err that none of them is a position.
func (s *Sink) newest(ctx context.Context) (entry, error) {
	m, err := s.store.Conn.Last(ctx, StreamSignals, SubjectPosition(s.instance))
	if errors.Is(err, ErrNoMessage) {
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
	s.log.Error("newest position can't be read, going on from the one before", "sequence", top.seq, "err", top.err)
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

// resume goes on from the newest position in the stream. It leaves s.at and
// s.lastEvent set.
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
		// The position above these events was deleted, or a foreign client wrote
		// them. They must be compared, and no old fence may fit again.
		next := s.at
		next.Why, next.Events = pipeline.WhyCopy, 0
		next.DedupeFrom = earliest(s.at.DedupeFrom, stood)
		s.log.Warn("events above the newest position, comparing with all since", "dedupe_from", next.DedupeFrom)
		if err := s.place(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// adopt makes the newest position that can be read the one to go on from, and
// returns the sequence of its own message.
func (s *Sink) adopt(newest entry, c *Cursor) (stood uint64) {
	s.at = newest.position
	stood = s.at.Seq // newest.seq is higher where newer messages are no positions
	s.at.Seq = newest.seq
	if s.follows(c, stood) {
		s.at.CompleteThrough = latest(s.at.CompleteThrough, c.CompleteThrough) // idle moves live there alone
		if c.Org != "" {
			s.at.Org, s.at.Assumed = c.Org, c.Assumed // so does what was learned meanwhile
		}
	}
	return stood
}

// follows reports whether CURSORS holds the position s.at, whose message is at seq.
func (s *Sink) follows(c *Cursor, seq uint64) bool {
	return c != nil && c.StreamSeq == seq && c.Next == s.at.Link && c.StreamCreated.Equal(s.stream.Created)
}

// explain says what became of a position that CURSORS knows and the stream
// does not: the stream is read on from where it stands.
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
	s.log.Error("stream lost events that it had acknowledged; reading on from what it kept",
		"cursor_seq", c.StreamSeq, "position_seq", s.at.Seq, "complete_through", s.at.CompleteThrough)
	return nil
}

// purged reports whether a cursor's position was taken away on purpose: the
// stream is another one, or goes on beyond a place that is empty now. False: the
// stream ends before it, or something else stands there: acked data is gone.
func (s *Sink) purged(ctx context.Context, c *Cursor) (bool, error) {
	if !c.StreamCreated.Equal(s.stream.Created) {
		return true, nil
	}
	_, err := s.store.Conn.At(ctx, StreamSignals, c.StreamSeq)
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, ErrNoMessage) {
		return false, err
	}
	return c.StreamSeq <= s.stream.Last, nil
}

// restore writes a first position where the stream has none that can be read:
// from CURSORS, or a fresh start. fence is the sequence of the newest message on
// the subject, 0 for none: whoever finds none writes one, so no commit ever
// expects 0.
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
		s.log.Error("stream lost events that it had acknowledged; starting again at since", "cursor_seq", c.StreamSeq)
		return s.startAgain(ctx, c)
	}
	next := c.Position
	next.Why, next.Events = pipeline.WhyRestore, 0
	if next.DedupeFrom == 0 {
		next.DedupeFrom = c.StreamSeq
	}
	if !c.StreamCreated.Equal(s.stream.Created) {
		next.DedupeFrom = s.kept()
	}
	s.log.Warn("no position in the stream, going on from the cursor", "link", next.Link, "dedupe_from", next.DedupeFrom)
	return s.place(ctx, next)
}

// start writes the position of a fresh start at since, compared with the ids of
// all events that are kept.
func (s *Sink) start(ctx context.Context) error {
	now := s.query.now()
	since := s.query.Since.At(now)
	s.log.Info("starting afresh", "since", since)
	if err := s.place(ctx, s.started(since)); err != nil {
		return err
	}
	s.stood = pipeline.Position{}
	if asked := s.query.Since.Asked(now); asked.Before(since.Add(-overlap)) {
		s.stood.CompleteThrough = asked // what is before since was asked for, and is not to be had
	}
	s.opening = &opening{since: since, begin: s.query.Since.At, stored: true,
		draft: func(_ context.Context, since time.Time) (pipeline.Position, error) { return s.started(since), nil }}
	return nil
}

// started is the position of a fresh start.
func (s *Sink) started(since time.Time) pipeline.Position {
	// Nothing persisted before since is asked for, so both times are true of nothing.
	return pipeline.Position{
		Version: pipeline.PositionVersion, Link: s.query.Start(since), Origin: s.query.Origin, Query: s.query.Hash,
		CompleteThrough: since, PublishedMax: since, DedupeFrom: s.kept(), Why: pipeline.WhyStart, Org: s.org,
	}
}

// startAgain is a fresh start after the stream lost what the cursor knows: at
// since, or where a reopening would start if that is earlier, so that an
// outage longer than since loses nothing more. The watermark moves back.
func (s *Sink) startAgain(ctx context.Context, c *Cursor) error {
	now := s.query.now()
	since := s.query.Since.At(now)
	if reopened := pipeline.Clamp(c.PublishedMax.Add(-overlap), now); !c.PublishedMax.IsZero() && reopened.Before(since) {
		since = reopened
	}
	through := since
	if c.CompleteThrough.Before(through) {
		through = c.CompleteThrough
	}
	return s.place(ctx, pipeline.Position{
		Version: pipeline.PositionVersion, Link: s.query.Start(since), Origin: c.Origin, Query: s.query.Hash,
		CompleteThrough: through, PublishedMax: since, DedupeFrom: s.kept(), Why: pipeline.WhyStart,
		Org: c.Org, Assumed: c.Assumed, Gap: c.Gap, Extra: c.Extra,
	})
}

// place writes a position that no page brought, after s.at's fence, and makes
// it the newest. A restart finds it, or none of it.
func (s *Sink) place(ctx context.Context, next pipeline.Position) error {
	next.At = time.Now().UTC()
	m, err := positionMessage(SubjectPosition(s.instance), next)
	if err != nil {
		return err
	}
	expect(m, s.at.Seq)
	next.Seq, err = s.send(ctx, s.messages(nil, m, ""))
	if err != nil {
		return err
	}
	s.at = next
	return nil
}

// readLastEvent reads the sequence of the instance's newest event: 0 for none.
func (s *Sink) readLastEvent(ctx context.Context) error {
	s.lastEvent = 0
	m, err := s.store.Conn.Last(ctx, StreamSignals, SubjectEvents(s.instance))
	if errors.Is(err, ErrNoMessage) {
		return nil
	}
	if err != nil {
		return err
	}
	s.lastEvent = m.Seq
	s.query.Source = cmp.Or(s.query.Source, headerText(m.Header, headerSource)) // an operator may not know it
	return nil
}

// kept is the dedupe_from that covers all events kept: 0 when there is none.
func (s *Sink) kept() uint64 {
	if s.lastEvent == 0 {
		return 0
	}
	return max(s.stream.First, 1)
}

// heal makes CURSORS say what the stream says.
func (s *Sink) heal(ctx context.Context, c *Cursor) error {
	if s.stands(c) {
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

// unfit reports an error that says that a stream or a bucket is gone or was
// changed so that it can't be written as it was: what Store.Ensure mends, or
// takes note of.
func unfit(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeStreamNotFound {
		return true
	}
	return errors.Is(err, errDisabled) || errors.Is(err, errMessageSize) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)
}

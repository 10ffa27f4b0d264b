package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Handover is where another program stopped reading an org's log.
type Handover struct {
	Link pipeline.Link // its next link; empty: only the time is known
	// Newest is when the newest event that the program has delivered was published. An
	// earlier time is safe.
	Newest time.Time
}

// ErrStarted refuses a first position for an instance that has one.
var ErrStarted = errors.New("the instance has a position already")

// Import writes the first position of an instance, where another program stopped.
//
// With a link, the poller requests what that program would have requested next: nothing in
// between is left out, and nothing before it is stored. Newest is the position's
// published_max: should the org refuse the link, the new query begins the overlap before
// it, and so before the link's place, because an event is published before it is persisted.
//
// Without a link, the query begins the overlap before Newest. Events that the org persisted
// since then may have been delivered by the other program, too; here none is stored twice.
//
// It returns ErrStarted if the instance has a position, in the stream or in CURSORS. sure is
// called once with the planned move; if it returns an error, nothing is written.
//
// A restart of the command finds the position, and refuses a second one, or none of it.
// Between the position and CURSORS it finds the stream's position, which is the truth.
func (o *Operator) Import(ctx context.Context, q Query, from Handover, sure func(Move) error) (Move, error) {
	return o.first(ctx, func(s *Sink) pipeline.Position {
		s.query = q
		return s.handedOver(from)
	}, sure)
}

// Restore writes a position that was exported as the first one of an instance, in a stream
// that has lost all of them. The poller requests its link again: what the org persisted
// since is stored. Events that are kept without a position are compared. Its errors and
// what a restart finds are those of Import.
func (o *Operator) Restore(ctx context.Context, exported pipeline.Position) (pipeline.Position, error) {
	m, err := o.first(ctx, func(s *Sink) pipeline.Position {
		next := exported
		next.Why, next.Events, next.DedupeFrom = pipeline.WhyRestore, 0, s.kept()
		return next
	}, func(Move) error { return nil })
	return m.Next, err
}

// first writes the first position of an instance.
func (o *Operator) first(ctx context.Context, plan func(*Sink) pipeline.Position, sure func(Move) error) (Move, error) {
	ctx, done := o.Store.Conn.Epoch(ctx) // the fence is judged by the server that was read
	defer done()
	v, err := o.look(ctx)
	switch {
	case err == nil || v != nil && (v.newest.seq > 0 || v.cursor != nil):
		return Move{}, ErrStarted
	case !errors.Is(err, ErrNoPosition):
		return Move{}, err
	}
	s := v.sink
	if err := s.readLastEvent(ctx); err != nil { // events without a position are compared
		return Move{}, fmt.Errorf("look at %s: %w", o.Instance, err)
	}
	m := Move{Next: plan(s)}
	if err := sure(m); err != nil {
		return m, err
	}
	if err := o.place(ctx, s, m.Next); err != nil { // expects that there is still none
		if errors.Is(err, pipeline.ErrFenced) {
			return m, ErrStarted
		}
		return m, fmt.Errorf("write the first position of %s: %w", o.Instance, err)
	}
	m.Next = s.at
	if err := o.tell(ctx, s); err != nil {
		s.log.Warn("position written, but CURSORS could not be; the poller writes it", "err", err)
	}
	return m, nil
}

// handedOver returns the first position after another program.
func (s *Sink) handedOver(from Handover) pipeline.Position {
	if from.Link == "" {
		return s.started(s.store.Kind.Clamp(from.Newest.Add(-s.store.Kind.Lateness), s.query.now()))
	}
	next := s.started(from.Newest.UTC())
	next.Why, next.Link = pipeline.WhyImport, from.Link
	return next
}

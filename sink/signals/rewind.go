package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Mark is how far a rewind goes back: to a sequence or, if that is 0, to a time.
type Mark struct {
	Seq  uint64    // to the newest position at or before it
	Time time.Time // everything that the org persisted after it is served again
}

// Move is an operator's change of position.
type Move struct {
	From   Step              // the current position
	Target Step              // the target of a rewind
	Since  time.Time         // beginning of a reopened query
	Next   pipeline.Position // the position to write; Seq and At are set once it is written

	// Again counts the stored events that the org may serve again; they are compared with
	// everything from there on, and with the pages before.
	Again uint64
}

// Errors of a refused move, besides pipeline.ErrMakingUp; force overrides ErrGap.
var (
	// ErrGap: the new query begins after the newest event read; some may be left out.
	ErrGap = errors.New("events would be left out")
	// ErrNoTarget: no position that is kept lies far enough back.
	ErrNoTarget = errors.New("no position that far back is kept")
	// ErrNothingAfter: the target is the current position.
	ErrNothingAfter = errors.New("the instance is at that position already")
	// ErrOtherQuery: the position belongs to another query than the requested one.
	ErrOtherQuery = errors.New("the position belongs to another query")
	// ErrMovedOn: positions have changed since the operator confirmed.
	ErrMovedOn = errors.New("positions have changed since")
)

// Rewind goes back to an earlier position of the instance. Everything that the org then
// serves again is compared with all events stored since, through any number of crashes,
// so nothing is stored twice.
//
// sure is called once with the planned move; if it returns an error, nothing is written.
// Rewind returns the move that was made.
//
// It is refused with ErrMakingUp while the newest position has a dedupe_from, because the
// target may lie before what is being compared. force overrides that.
func (o *Operator) Rewind(ctx context.Context, to Mark, force bool, sure func(Move) error) (Move, error) {
	return o.move(ctx, func(ctx context.Context, v *operatorView, asked *Move) (Move, error) {
		m := Move{From: v.step()}
		if !force && v.sink.at.DedupeFrom != 0 {
			return m, pipeline.ErrMakingUp
		}
		if asked != nil {
			to = Mark{Seq: asked.Target.Seq}
		}
		var err error
		if m.Target, err = v.target(ctx, to, force); err != nil {
			return m, err
		}
		if asked != nil && (asked.Target.Seq != m.Target.Seq || asked.Target.Link != m.Target.Link || !asked.Target.At.Equal(m.Target.At)) {
			return m, ErrMovedOn
		}
		m.Next = rewound(v.sink.at, m.Target.Position)
		return m, nil
	}, sure)
}

// rewound returns the position that goes back from at to target. It has the target's
// published_max, so that a reopening before the rewind's end goes back as far, and the
// target's query: if that has changed since, the poller reopens it from there. The
// watermark stays: stored events remain stored.
func rewound(at, target pipeline.Position) pipeline.Position {
	next := at
	next.Version, next.Why, next.Events = pipeline.PositionVersion, pipeline.WhyRewind, 0
	next.Link, next.Query, next.PublishedMax = target.Link, target.Query, target.PublishedMax
	if next.DedupeFrom = target.DedupeFrom; next.DedupeFrom == 0 {
		next.DedupeFrom = target.Seq
	}
	return next
}

// Reopen starts a new query at a time; q must be the position's own query. dedupe_from is
// set as for any reopening.
//
// It is refused with ErrMakingUp as a rewind is, and with ErrGap if since is after
// published_max, unless forced. sure is called as in Rewind.
func (o *Operator) Reopen(ctx context.Context, q Query, since time.Time, force bool, sure func(Move) error) (Move, error) {
	since = o.Store.Kind.Clamp(since, time.Now())
	return o.move(ctx, func(ctx context.Context, v *operatorView, _ *Move) (Move, error) {
		at := v.sink.at
		m := Move{From: v.step(), Since: since}
		switch {
		case at.Origin != q.Origin:
			return m, fmt.Errorf("%w: the position is of %s, the integration of %s", ErrOtherQuery, at.Origin, q.Origin)
		case at.Query != q.Hash:
			return m, fmt.Errorf("%w: the integration's filter or limit has changed and is not applied yet", ErrOtherQuery)
		case !force && at.DedupeFrom != 0:
			return m, pipeline.ErrMakingUp
		case !force && since.After(at.PublishedMax): // unread events were persisted after that
			return m, fmt.Errorf("%w: those from %s, the newest that was read, to %s", ErrGap,
				at.PublishedMax.UTC().Format(time.RFC3339), since.Format(time.RFC3339))
		}
		anchor, err := v.sink.anchor(ctx, since)
		if err != nil {
			return m, err
		}
		m.Next = reopened(at, q, since, anchor)
		return m, nil
	}, sure)
}

// reopened returns the position that starts a query at since. Its published_max is since if
// earlier, as at a start, so that a reopening before the query's end begins no later.
func reopened(at pipeline.Position, q Query, since time.Time, anchor uint64) pipeline.Position {
	next := at
	next.Version, next.Why, next.Events = pipeline.PositionVersion, pipeline.WhyReopen, 0
	next.Link, next.Query = q.Start(since), q.Hash
	next.DedupeFrom = earliest(at.DedupeFrom, anchor)
	if since.Before(at.PublishedMax) || at.PublishedMax.IsZero() {
		next.PublishedMax = since
	}
	return next
}

// move makes a move: it asks sure once, and retries while other writers interfere.
func (o *Operator) move(ctx context.Context, plan func(context.Context, *operatorView, *Move) (Move, error), sure func(Move) error) (Move, error) {
	m, err := o.attempt(ctx, plan, nil)
	if err != nil {
		return m, err
	}
	if m.Again, err = o.after(ctx, m.Next.DedupeFrom); err != nil {
		return m, err
	}
	if err := sure(m); err != nil {
		return m, err
	}
	asked := m
	for range operatorTries {
		m, err = o.attempt(ctx, plan, &asked)
		if !errors.Is(err, pipeline.ErrFenced) {
			break
		}
	}
	m.Again = asked.Again
	return m, err
}

// attempt plans the move and, if it was confirmed, makes it. All reads and writes use one
// connection: see Sink.bind. A restart finds the new position or none of it.
func (o *Operator) attempt(ctx context.Context, plan func(context.Context, *operatorView, *Move) (Move, error), asked *Move) (Move, error) {
	ctx, done := o.Store.Conn.Epoch(ctx)
	defer done()
	v, err := o.stand(ctx)
	if err != nil {
		return Move{}, err
	}
	m, err := plan(ctx, v, asked)
	if err != nil || asked == nil {
		return m, err
	}
	if err := o.place(ctx, v.sink, m.Next); err != nil {
		return m, fmt.Errorf("move %s: %w", o.Instance, err)
	}
	m.Next = v.sink.at
	if err := o.tell(ctx, v.sink); err != nil {
		v.sink.log.Warn("position moved, but CURSORS could not be written; the poller notices when it next stores something", "err", err)
	}
	return m, nil
}

func (v *operatorView) step() Step {
	step := Step{Position: v.sink.at, By: v.newest.by, Note: v.newest.note}
	step.Seq = v.stood
	return step
}

// target finds the position to go back to: the newest that qualifies, of this origin or of the
// same org under another one (a link is a path, requested from the configured origin). Those of
// an unknown org qualify only by force, those of another org never.
func (v *operatorView) target(ctx context.Context, to Mark, force bool) (Step, error) {
	own := v.sink.at
	var oldest Step
	for e, err := range v.sink.history(ctx, v.stood) {
		if err != nil {
			return Step{}, err
		}
		if e.err != nil {
			continue
		}
		known := e.position.Origin == own.Origin || own.Org != "" && e.position.Org == own.Org
		if !sameOrg(e.position.Org, own.Org) || !known && !force {
			continue
		}
		oldest = stepOf(e)
		if !to.reaches(oldest.Position, v.sink.store.Kind.Lateness) {
			continue
		}
		if oldest.Seq == v.stood && oldest.DedupeFrom == 0 {
			return oldest, ErrNothingAfter
		}
		return oldest, nil
	}
	return oldest, ErrNoTarget
}

// reaches reports whether a position lies far enough back.
//
// For a time: the position's link must serve everything that the org persisted after it.
// Events read up to a position were published at its published_max at the latest, and
// persisted at most the lateness later. A query that starts at a time serves everything
// after that time. The link of any other position without events may have been moved by
// the org itself, to the end of the log when the position was written.
func (to Mark) reaches(p pipeline.Position, lateness time.Duration) bool {
	if to.Seq != 0 {
		return p.Seq <= to.Seq
	}
	if p.Why == pipeline.WhyStart || p.Why == pipeline.WhyReopen {
		return !p.PublishedMax.After(to.Time)
	}
	moved := (p.Why == pipeline.WhyPage || p.Why == pipeline.WhyPart) && p.Events > 0
	return !p.PublishedMax.Add(lateness).After(to.Time) && (moved || !p.At.After(to.Time))
}

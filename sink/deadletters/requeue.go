package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/signals"
)

// Errors of a dead letter that can't be requeued, besides pipeline.ErrMakingUp.
var (
	// ErrCut: the end of the element is missing.
	ErrCut = errors.New("bytes are missing: it was cut to the size that the server accepted")
	// ErrNoEvent: the element is not an event, or has no uuid to identify it by.
	ErrNoEvent = errors.New("it is not an event")
	// ErrConflict: another event with its uuid is stored, and the uuid identifies an event.
	ErrConflict = errors.New("an event with its uuid was stored with other bytes")
	// ErrStillTooLarge: the server still does not accept its size.
	ErrStillTooLarge = errors.New("it is still larger than the server accepts")
	// ErrNotPassed: the live poll may still read it.
	ErrNotPassed = errors.New("the page that it came with may still be requested")
)

// Requeue stores a dead letter that can be published by now as an event of the past, as a
// repair does, and deletes it. It reports whether it stored it; false: it was stored
// already.
//
// A restart finds the dead letter, with its event stored or not. It is deleted only after
// the ack of the event's batch, so nothing is lost; a second requeue finds the stored
// event's id, so nothing is doubled. The events' fence separates two concurrent requeues,
// or a requeue and a poller that stores the event meanwhile.
func (d *DeadLetters) Requeue(ctx context.Context, l DeadLetter) (stored bool, err error) {
	e, err := d.Requeueable(ctx, l)
	if err != nil {
		return false, err
	}
	// Copies of it were published at its time or, if that can't be read, at any time.
	past := pipeline.Past{Events: []pipeline.Event{e}, Why: pipeline.WhyRepair, Link: l.Link, From: e.Published, Until: e.Published.Add(time.Millisecond)}
	if e.Published.IsZero() {
		past.Until = time.Now().AddDate(1000, 0, 0)
	}
	r, err := (&signals.Ledger{Store: d.Store.Of(l.Kind), Instance: l.Instance}).Insert(ctx, past)
	if err != nil {
		return false, err
	}
	if r.Stored+r.Repeats == 0 {
		return false, ErrStillTooLarge
	}
	return r.Stored > 0, d.Delete(ctx, l.Seq)
}

// Requeueable returns the element of a dead letter that is an event and can be stored now.
func (d *DeadLetters) Requeueable(ctx context.Context, l DeadLetter) (pipeline.Event, error) {
	if l.Reason == pipeline.FlawConflict {
		return pipeline.Event{}, ErrConflict
	}
	if l.Reason != pipeline.FlawTooLarge || l.Kind == nil {
		return pipeline.Event{}, ErrNoEvent
	}
	if l.Cut() {
		return pipeline.Event{}, ErrCut
	}
	e, err := l.Kind.Element(l.Data)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	if e.Flaw != "" {
		return e, ErrNoEvent
	}
	if err = d.Store.Measure(ctx); err != nil {
		return e, err
	}
	if signals.TooLarge(d.Store.Of(l.Kind), l.Instance, &e) {
		return e, fmt.Errorf("%w: %d bytes with its headers", ErrStillTooLarge, d.Store.MaxMessage())
	}
	return e, passed(ctx, &signals.Operator{Store: d.Store.Of(l.Kind), Instance: l.Instance}, l, e)
}

// passed returns nil if the live poll has passed an event: everything persisted up to the
// watermark has been stored or left out, and an event is persisted at most the overlap
// after its publication; or the link that served it was left.
func passed(ctx context.Context, o *signals.Operator, l DeadLetter, e pipeline.Event) error {
	st, err := o.CursorState(ctx)
	if err != nil {
		return err
	}
	if st.DedupeFrom != 0 {
		return pipeline.ErrMakingUp
	}
	if !e.Published.IsZero() && !e.Published.Add(o.Store.Kind.Lateness).After(st.CompleteThrough) {
		return nil
	}
	if st.Link == l.Link {
		return ErrNotPassed
	}
	for step, err := range o.History(ctx) {
		if err != nil {
			return err
		}
		if step.Err == nil && step.Link == l.Link {
			return nil
		}
		if step.Err == nil && step.At.Before(l.Time.Add(-o.Store.Kind.Lateness)) {
			break
		}
	}
	return ErrNotPassed
}

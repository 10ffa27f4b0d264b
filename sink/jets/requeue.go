package jets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Why a dead letter can't be requeued, beside pipeline.ErrMakingUp; each says what
// is to be done, if anything is.
var (
	// ErrCut: the end of the element is missing.
	ErrCut = errors.New("bytes are missing: it was cut to what the server took")
	// ErrNoEvent: the element is none, or has no uuid that it could be told from others by.
	ErrNoEvent = errors.New("it is no event")
	// ErrConflict: an event of its uuid is stored, and the uuid is what it goes by.
	ErrConflict = errors.New("an event of its uuid was stored with other bytes")
	// ErrStillTooLarge: the server still does not take it.
	ErrStillTooLarge = errors.New("it is still larger than the server takes")
	// ErrNotPassed: the live poll may yet come to it.
	ErrNotPassed = errors.New("the page that it came with may still be asked for")
)

// Requeue stores a dead letter that can be published now as an event of the past,
// as a repair does, and deletes it. It reports whether it was stored; false: it
// was stored already. parse reads an element as a page's are read.
//
// What a restart finds: the dead letter, with its event stored or not. It is deleted
// only after the ack of the event's batch, so nothing is lost; and whoever
// requeues it again finds the id of a stored event, so nothing is doubled. Two
// that requeue it at once, or a poller that stores the event meanwhile, are told
// apart by the events' fence.
func (d *DeadLetters) Requeue(ctx context.Context, l DeadLetter, parse func([]byte) (pipeline.Event, error)) (stored bool, err error) {
	e, err := d.Requeueable(ctx, l, parse)
	if err != nil {
		return false, err
	}
	// Its copies were published when it was, or, where that can't be read, who knows when.
	past := pipeline.Past{Events: []pipeline.Event{e}, Why: pipeline.WhyRepair, Link: l.Link, From: e.Published, Until: e.Published.Add(time.Millisecond)}
	if e.Published.IsZero() {
		past.Until = time.Now().AddDate(1000, 0, 0)
	}
	r, err := (&Ledger{Store: d.Store, Instance: l.Instance}).Insert(ctx, past)
	if err != nil {
		return false, err
	}
	if r.Stored+r.Repeats == 0 {
		return false, ErrStillTooLarge
	}
	return r.Stored > 0, d.Delete(ctx, l.Seq)
}

// Requeueable reads the element of a dead letter, if it is an event that can be
// stored now.
func (d *DeadLetters) Requeueable(ctx context.Context, l DeadLetter, parse func([]byte) (pipeline.Event, error)) (pipeline.Event, error) {
	e, err := d.publishable(ctx, l, parse)
	if err != nil {
		return e, err
	}
	return e, passed(ctx, &Operator{Store: d.Store, Instance: l.Instance}, l, e)
}

// publishable reads the element of a dead letter, if it is an event that the
// server takes by now.
func (d *DeadLetters) publishable(ctx context.Context, l DeadLetter, parse func([]byte) (pipeline.Event, error)) (pipeline.Event, error) {
	if l.Reason == pipeline.FlawConflict {
		return pipeline.Event{}, ErrConflict
	}
	if l.Reason != pipeline.FlawTooLarge {
		return pipeline.Event{}, ErrNoEvent
	}
	if l.Cut() {
		return pipeline.Event{}, ErrCut
	}
	e, err := parse(l.Data)
	if err != nil {
		return e, fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	if e.Flaw != "" {
		return e, ErrNoEvent
	}
	if err := d.Store.measure(ctx); err != nil {
		return e, err
	}
	if limit := d.Store.maxMessage(); newEnvelope(SubjectEvents(l.Instance), "").Larger(&e, limit) {
		return e, fmt.Errorf("%w: %d bytes with its headers", ErrStillTooLarge, limit)
	}
	return e, nil
}

// passed returns nil if the live poll has passed an event: all that was persisted up
// to the watermark is stored or was left out, and it was persisted at most the
// overlap after it was published; or the link that served it was left.
func passed(ctx context.Context, o *Operator, l DeadLetter, e pipeline.Event) error {
	st, err := o.Standing(ctx)
	if err != nil {
		return err
	}
	if st.DedupeFrom != 0 {
		return pipeline.ErrMakingUp
	}
	if !e.Published.IsZero() && !e.Published.Add(overlap).After(st.CompleteThrough) {
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
		if step.Err == nil && step.At.Before(l.Time.Add(-overlap)) {
			break
		}
	}
	return ErrNotPassed
}

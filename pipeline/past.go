package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Past is a batch of events that the org showed in a request for the past: a
// backfill's or a repair's.
type Past struct {
	Events []Event // in the order in which they are to be stored
	Why    Why     // WhyBackfill or WhyRepair
	Link   Link    // that served them; it is told of what can't be published

	// All were published at or after From and before Until. The ids of what is
	// stored of that span are loaded once and kept for the next batch that names
	// the same, so it should be a span of many batches: a day is a good one.
	From, Until time.Time

	// Memory is what the batch takes of a bound of its own, since it waits in memory
	// for a page: released when it is stored or given up. nil: nothing.
	Memory *Grant
}

// Inserter keeps events of the past. It is what a Sink must be for a Runner with
// a Backlog.
type Inserter interface {
	// Insert stores those events that are not stored yet, under the position at,
	// which goes nowhere else. The caller vouches that the live poll has passed
	// all of them: all that the org had persisted when they were seen has been served,
	// and is committed. It returns ErrMakingUp while the position says
	// that known events are still served again; its other errors are Commit's, and
	// some of the events may be stored then.
	Insert(ctx context.Context, at Position, past Past) (Receipt, error)
}

// ErrMakingUp: the position has a dedupe_from, so nothing of the past is stored yet.
var ErrMakingUp = errors.New("known events are still served again (dedupe_from is set)")

// Backlog brings events of the past to a Runner. It is used by one goroutine at
// a time.
type Backlog interface {
	// Next asks the org for the next batch, and begins no request after due,
	// when the head of the log is to be asked again. It returns nil when there is
	// nothing to do now. A batch of which Stored is not told is brought again.
	Next(ctx context.Context, due time.Time) (*Past, error)

	// Stored says what became of the newest batch.
	Stored(ctx context.Context, r Receipt) error
}

// makeUp asks the backlog for a batch, unless one is in hand.
//
// What a request for the past shows may be what the live poll is about to serve. So the
// batch is stored once a page shows that all that the org had persisted when the batch
// came has been served: by then each event of it that the poll was ever to serve is stored.
// What is not stored was left out, and the poll will not come back for it. Until then the
// batch stays in hand.
func (w *walk) makeUp(ctx context.Context, due time.Time) {
	if w.Backlog == nil || w.past != nil || w.at.DedupeFrom != 0 || ctx.Err() != nil {
		return
	}
	past, err := w.Backlog.Next(ctx, due)
	if err != nil && ctx.Err() == nil {
		w.Log.Warn("okta: backlog waits", "err", err, "retry_in", time.Until(due).Round(time.Second))
		w.trace.Failed(w.Instance, err)
	}
	w.past, w.head.batch = past, w.head.mark()
}

// forget gives up the batch in hand: the backlog brings it again.
func (w *walk) forget() {
	if w.past != nil {
		w.past.Memory.Release()
		w.past = nil
	}
}

// insert stores the batch in hand.
func (w *walk) insert(ctx context.Context) error {
	ctx, stop := graceful(ctx, w.Grace)
	defer stop()
	past := *w.past
	defer w.forget()
	r, err := w.Sink.(Inserter).Insert(ctx, w.at, past)
	if errors.Is(err, ErrMakingUp) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", w.Instance, err)
	}
	w.at = r.Position
	w.trace.Inserted(w.Instance, past, r)
	w.Log.Info(fmt.Sprintf("okta: %s of %d events", past.Why, len(past.Events)),
		"stored", r.Stored, "repeats", r.Repeats, "dead_letters", r.DeadLetters)
	if err := w.Backlog.Stored(ctx, r); err != nil {
		w.Log.Warn("okta: progress of the backlog not written", "err", err)
	}
	return nil
}

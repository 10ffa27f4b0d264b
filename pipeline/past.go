package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Past is a batch of events from a request for the past, by a backfill or a repair.
type Past struct {
	Events []Event // in the order to store them
	Why    Why     // WhyBackfill or WhyRepair
	Link   Link    // the link that served them; written into dead letters

	// All were published at or after From and before Until. The stored ids of that span
	// are loaded once and kept for the next batch with the same span, so it should cover
	// many batches: a day is a good choice.
	From, Until time.Time

	// Memory is the batch's share of a bound of its own, because a batch waits in memory
	// for a page. It is released when the batch is stored or given up. nil: none.
	Memory *Grant
}

// Inserter stores events of the past. A Runner with a Backlog needs a Sink that is one.
type Inserter interface {
	// Insert stores those events that are not stored yet, under the position at, whose
	// link stays. The caller guarantees that the live poll has passed them all:
	// everything that the org had persisted when they were read has been served and
	// committed. It returns ErrMakingUp while the position's dedupe_from is set. Its
	// other errors are Commit's; some of the events may be stored then.
	Insert(ctx context.Context, at Position, past Past) (Receipt, error)
}

// ErrMakingUp: the position has a dedupe_from, so no events of the past are stored yet.
var ErrMakingUp = errors.New("known events are still served again (dedupe_from is set)")

// Backlog is the source of a Runner's events of the past. It is used by one goroutine at
// a time.
type Backlog interface {
	// Next requests the next batch. It starts no request after due, the time of the next
	// poll of the head. It returns nil when there is nothing to do now. A batch for which
	// Stored was not called is returned again.
	Next(ctx context.Context, due time.Time) (*Past, error)

	// Stored reports the result of the newest batch.
	Stored(ctx context.Context, r Receipt) error
}

// makeUp asks the backlog for a batch, unless one is waiting.
//
// A request for the past may show events that the live poll is about to serve. So the
// batch waits until a page shows that everything the org had persisted when the batch
// arrived has been served. Invariant: every event of the batch that the live poll would
// ever serve is stored, or part of this commit. The rest is missing.
func (w *poll) makeUp(ctx context.Context, due time.Time) {
	if w.Backlog == nil || w.past != nil || w.at.DedupeFrom != 0 || ctx.Err() != nil {
		return
	}
	past, err := w.Backlog.Next(ctx, due)
	if err != nil && ctx.Err() == nil {
		w.Log.Warn(w.Kind+": backlog waits", "err", err, "retry_in", time.Until(due).Round(time.Second))
		w.trace.Failed(w.Instance, err)
	}
	w.past, w.head.batch = past, w.head.mark()
}

// forget gives up the waiting batch; the backlog returns it again.
func (w *poll) forget() {
	if w.past != nil {
		w.past.Memory.Release()
		w.past = nil
	}
}

// insert stores the waiting batch.
func (w *poll) insert(ctx context.Context) error {
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
	w.Log.Info(fmt.Sprintf("%s: %s of %d events", w.Kind, past.Why, len(past.Events)),
		"stored", r.Stored, "repeats", r.Repeats, "dead_letters", r.DeadLetters)
	if err := w.Backlog.Stored(ctx, r); err != nil {
		w.Log.Warn(w.Kind+": progress of the backlog not written", "err", err)
	}
	return nil
}

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

// Backlog is the source of a Runner's past events. One goroutine at a time uses it.
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
func (p *poll) makeUp(ctx context.Context, due time.Time) {
	if p.Backlog == nil || p.past != nil || p.at.DedupeFrom != 0 || ctx.Err() != nil {
		return
	}
	past, err := p.Backlog.Next(ctx, due)
	if err != nil && ctx.Err() == nil {
		p.Log.Warn(p.Kind+": backlog waits", "err", err, "retry_in", time.Until(due).Round(time.Second))
		p.trace.Failed(p.Instance, err)
	}
	p.past, p.head.batch = past, p.head.mark()
}

// forget gives up the waiting batch; the backlog returns it again.
func (p *poll) forget() {
	if p.past != nil {
		p.past.Memory.Release()
		p.past = nil
	}
}

func (p *poll) insert(ctx context.Context) error {
	ctx, stop := graceful(ctx, p.Grace)
	defer stop()
	past := *p.past
	defer p.forget()
	r, err := p.Sink.(Inserter).Insert(ctx, p.at, past)
	if errors.Is(err, ErrMakingUp) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", p.Instance, err)
	}
	p.at = r.Position
	p.trace.Inserted(p.Instance, past, r)
	p.Log.Info(fmt.Sprintf("%s: %s of %d events", p.Kind, past.Why, len(past.Events)),
		"stored", r.Stored, "repeats", r.Repeats, "dead_letters", r.DeadLetters)
	if err := p.Backlog.Stored(ctx, r); err != nil {
		p.Log.Warn(p.Kind+": progress of the backlog not written", "err", err)
	}
	return nil
}

package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
)

// lane reads one partition after another, each with its own consumer, which the server drops
// by itself if the lane dies. A direct get would need no consumer, but unpacks a block of
// the store each time, where a consumer keeps its current one.
type lane struct {
	*reading
	partition *partition
	at        uint64 // next sequence to read
	gap       uint64 // sequence before which messages were missing or skipped; 0: none
	found     []*Stored

	consumer jetstream.Consumer // nil: not created yet
	asked    uint64             // messages requested last
	brought  uint64             // messages received from the consumer
	pending  uint64             // messages that the consumer still has, by its replica
	used     time.Time
}

// lane reads partitions until there is none left or one fails.
func (r *reading) lane(ctx context.Context) {
	l := &lane{reading: r}
	for p := r.claim(ctx); p != nil; p = r.claim(ctx) {
		p.err = l.read(ctx, p)
		close(p.events)
		l.leave(ctx)
		if p.err != nil {
			return
		}
	}
}

func (l *lane) read(ctx context.Context, p *partition) error {
	l.partition, l.at, l.gap = p, p.from, 0
	backoff, from := RetryWait(), l.at
	for l.at <= p.through {
		err := l.step(ctx)
		if len(l.found) > 0 {
			select {
			case p.events <- l.found:
				l.found = nil
			case <-ctx.Done():
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			l.tell(nil)
			backoff.Reset()
			l.lookBack(ctx, from)
			from = l.at
			continue
		case Passing(err):
			l.leave(ctx)
			err = l.wait(ctx, err, &backoff)
		}
		if err != nil {
			return fmt.Errorf("read %s from %d: %w", jets.StreamSignals, l.at, err)
		}
	}
	return nil
}

// step makes one request. Messages of an answer that broke off count.
func (l *lane) step(ctx context.Context) error {
	ctx, done := l.conn.Epoch(ctx)
	defer done()
	if time.Since(l.used) > jets.IdleTime/2 {
		l.leave(ctx) // the events are being taken slowly, and the consumer may have expired
	}
	if l.consumer == nil {
		if err := l.enter(ctx); err != nil {
			return jets.Cause(ctx, err)
		}
	}
	came, err := l.fetch(ctx, l.ration())
	if err == nil && came == 0 {
		return l.ask(ctx)
	}
	return jets.Cause(ctx, err)
}

func (l *lane) take(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	if l.brought++; meta.Sequence.Consumer != l.brought {
		return errGap
	}
	l.pending = meta.NumPending
	seq := meta.Sequence.Stream
	if seq <= l.partition.through && seq >= l.at && l.wanted[m.Subject()] {
		l.found = append(l.found, newStored(l.Kind, m, meta))
	}
	l.advance(seq)
	return nil
}

// ask asks the leader for the next message, because the consumer's replica may be behind.
func (l *lane) ask(ctx context.Context) error {
	next, err := l.nextOfLeader(ctx)
	switch {
	case err != nil:
		return err
	case next == nil:
		if err := l.same(ctx); err != nil {
			return err
		}
		l.advance(l.Through + 1)
		return nil
	}
	if next.Seq <= l.partition.through && l.wanted[next.Subject] {
		l.found = append(l.found, storedOf(l.Kind, next))
	}
	l.advance(next.Seq)
	l.leave(ctx) // a new consumer sees what its replica has by then
	return nil
}

// nextOfLeader returns the leader's next matching message; nil: none.
func (l *lane) nextOfLeader(ctx context.Context) (next *jets.RawMsg, err error) {
	filters := l.filters
	if len(filters) == 0 {
		filters = []string{">"}
	}
	for _, filter := range filters {
		m, err := l.conn.Read(ctx, jets.StreamSignals, map[string]any{"seq": l.at, "next_by_subj": filter})
		switch {
		case errors.Is(err, jets.ErrNoMessage):
		case err != nil:
			return nil, err
		case next == nil || m.Seq < next.Seq:
			next = m
		}
	}
	return next, nil
}

// advance moves past seq. A match beyond this partition proves that nothing before it is.
func (l *lane) advance(seq uint64) {
	if seq > l.at {
		l.gap = seq
	}
	if seq > l.partition.through && l.at <= l.partition.through {
		l.skip(seq)
	}
	l.at = max(l.at, min(seq, l.partition.through)+1)
}

// near is how close to the stream's beginning a lane checks its start after each answer.
const near = 2 * widest

// lookBack reports messages that were removed before they could be read. from is where
// the last request began. Sequences without a gap were all there.
func (l *lane) lookBack(ctx context.Context, from uint64) {
	if l.gap <= from || l.Gone == nil {
		return
	}
	if from >= l.first.Load()+near { // far from the removed messages, one check per partition is enough
		if l.at <= l.partition.through {
			return
		}
		from = l.partition.from
	}
	extent, err := l.conn.Extent(ctx)
	if err != nil {
		return // the next read shows the reason
	}
	l.telling.Lock()
	defer l.telling.Unlock()
	l.first.Store(max(l.first.Load(), extent.First))
	if extent.First > from {
		l.gone = true
		l.Gone(from, min(extent.First, l.gap)-1)
	}
}

package jets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lane reads one part after another, each with a consumer of its own, which the
// server forgets by itself should the lane die. A direct get would leave nothing
// to forget, but unpacks a block of the store each time, where a consumer keeps
// the one in which it stands.
type lane struct {
	*reading
	part  *part
	at    uint64 // next sequence to read
	gap   uint64 // sequence before which messages were not there, or not looked for; 0: none
	found []*Stored

	consumer jetstream.Consumer // nil: to be made
	asked    uint64             // messages, last time
	brought  uint64             // messages by the consumer
	pending  uint64             // that it still has, by its copy of the stream
	used     time.Time
}

// lane reads parts until there is none left or one fails.
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

func (l *lane) read(ctx context.Context, p *part) error {
	l.part, l.at, l.gap = p, p.from, 0
	backoff, from := retryWait(), l.at
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
		case passing(err):
			l.leave(ctx)
			err = l.wait(ctx, err, &backoff)
		}
		if err != nil {
			return fmt.Errorf("read %s from %d: %w", StreamSignals, l.at, err)
		}
	}
	return nil
}

// step makes one request. What an answer that broke off has brought counts.
func (l *lane) step(ctx context.Context) error {
	ctx, done := l.conn.Epoch(ctx)
	defer done()
	if time.Since(l.used) > idleTime/2 {
		l.leave(ctx) // whoever takes the events takes them slowly
	}
	if l.consumer == nil {
		if err := l.enter(ctx); err != nil {
			return cause(ctx, err)
		}
	}
	came, err := l.fetch(ctx, l.ration())
	if err == nil && came == 0 {
		return l.ask(ctx)
	}
	return cause(ctx, err)
}

// take takes in a message.
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
	if seq <= l.part.through && seq >= l.at && l.wanted[m.Subject()] {
		l.found = append(l.found, newStored(m, meta))
	}
	l.advance(seq)
	return nil
}

// ask asks the leader for the next message, after a copy of the stream had none. So
// an end is never believed of a copy that trails.
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
	if next.Seq <= l.part.through && l.wanted[next.Subject] {
		l.found = append(l.found, storedOf(next))
	}
	l.advance(next.Seq)
	l.leave(ctx) // a new one knows what the copy has by then
	return nil
}

// nextOfLeader is the leader's next message, of those that are looked for; nil:
// there is none.
func (l *lane) nextOfLeader(ctx context.Context) (next *RawMsg, err error) {
	filters := l.filters
	if len(filters) == 0 {
		filters = []string{">"}
	}
	for _, filter := range filters {
		m, err := l.conn.read(ctx, StreamSignals, map[string]any{"seq": l.at, "next_by_subj": filter})
		switch {
		case errors.Is(err, ErrNoMessage):
		case err != nil:
			return nil, err
		case next == nil || m.Seq < next.Seq:
			next = m
		}
	}
	return next, nil
}

// advance goes on behind seq. What the server looked for and found behind the
// part says that nothing is wanted up to there.
func (l *lane) advance(seq uint64) {
	if seq > l.at {
		l.gap = seq
	}
	if seq > l.part.through && l.at <= l.part.through {
		l.skip(seq)
	}
	l.at = max(l.at, min(seq, l.part.through)+1)
}

// near is how close to its beginning the stream is looked at after each answer.
const near = 2 * widest

// lookBack tells what was removed before it could be read. from is where the
// last request began. What came without a gap was all there.
func (l *lane) lookBack(ctx context.Context, from uint64) {
	if l.gap <= from || l.Gone == nil {
		return
	}
	if from >= l.first.Load()+near { // far from what is removed, once a part is enough
		if l.at <= l.part.through {
			return
		}
		from = l.part.from
	}
	extent, err := l.conn.Extent(ctx)
	if err != nil {
		return // who reads on learns why
	}
	l.telling.Lock()
	defer l.telling.Unlock()
	l.first.Store(max(l.first.Load(), extent.First))
	if extent.First > from {
		l.gone = true
		l.Gone(from, min(extent.First, l.gap)-1)
	}
}

package jets

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// When a history is read ahead, and how far.
const (
	aheadAfter = 24 // positions are read one by one first: most walks end before
	leastAhead = 64
	mostAhead  = 2048
	aheadTries = 4
	aheadTime  = 30 * time.Second // for an answer as a whole
)

// ahead reads the positions of a history that has turned out to be a long one, many
// at a time, since each read by itself is a round trip.
//
// What is fetched is only ever looked up by sequence. Which position comes next is
// said by the one after it, and that there is none by the leader: so any copy
// of the stream may bring them, and what it lacks the leader is asked for.
type ahead struct {
	sink  *Sink
	top   uint64 // where the walk began
	steps uint64 // positions that it came to
	newer uint64 // positions after the top; counted with the first fetch
	gap   uint64 // sequences from one position to the next, as seen last; 0: nothing was fetched
	want  uint64 // positions of the last fetch
	held  map[uint64]*RawMsg
	off   bool // a fetch did not bring what was needed
}

// At reads the message at a sequence, as Conn.At does.
func (a *ahead) At(ctx context.Context, seq uint64) (*RawMsg, error) {
	if a.held[seq] == nil && a.steps >= aheadAfter && !a.off {
		a.off = a.fetch(ctx, seq) != nil || a.held[seq] == nil
	}
	m, err := a.held[seq], error(nil)
	if delete(a.held, seq); m == nil {
		m, err = a.sink.store.Conn.At(ctx, StreamSignals, seq)
	}
	if err == nil && m.Subject == SubjectPosition(a.sink.instance) {
		a.steps++
	}
	return m, err
}

// fetch holds positions from somewhere before seq on through seq. Positions are read
// forwards only, so how far back a number of them reaches is guessed, out of how
// far apart they were; the server then says how many it would be.
func (a *ahead) fetch(ctx context.Context, seq uint64) (err error) {
	if a.gap == 0 {
		a.gap = max((a.top-seq)/a.steps, 1)
		if a.newer, err = a.sink.store.Conn.count(ctx, SubjectPosition(a.sink.instance), a.top+1); err != nil {
			return err
		}
	}
	a.want = min(max(2*a.want, leastAhead), mostAhead)
	back := min(a.gap*a.want, seq-1)
	for range aheadTries {
		n, err := a.fetchFrom(ctx, seq-back, seq)
		if err != nil {
			return err
		}
		if n <= 2*mostAhead {
			a.gap = max(back/max(n, 1), 1)
			return nil
		}
		back = back * mostAhead / n
	}
	return fmt.Errorf("read positions before %d: they stand too unevenly", seq)
}

// fetchFrom holds those of two sequences and between, unless they are too many. It
// returns how many they are.
func (a *ahead) fetchFrom(ctx context.Context, from, through uint64) (n uint64, err error) {
	conn := a.sink.store.Conn
	ctx, done := conn.Epoch(ctx)
	defer done()
	ctx, cancel := context.WithTimeout(ctx, aheadTime)
	defer cancel()
	consumer, err := conn.JS.CreateConsumer(ctx, StreamSignals, fromSequence(from, SubjectPosition(a.sink.instance)))
	if err != nil {
		return 0, err
	}
	defer conn.forget(ctx, consumer)
	pending := consumer.CachedInfo().NumPending
	if n = pending - min(a.newer+a.steps, pending); n == 0 || n > 2*mostAhead {
		return n, nil
	}
	answer, err := consumer.Fetch(int(n), jetstream.FetchContext(ctx))
	if err != nil {
		return n, err
	}
	a.held = make(map[uint64]*RawMsg, n)
	for m := range answer.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return n, err
		}
		seq := meta.Sequence.Stream
		a.held[seq] = &RawMsg{Subject: m.Subject(), Seq: seq, Header: m.Headers(), Data: m.Data(), Time: meta.Timestamp}
		if seq >= through {
			return n, nil
		}
	}
	return n, answer.Error()
}

// count counts the messages on a subject of SIGNALS from a sequence on.
func (c *Conn) count(ctx context.Context, subject string, from uint64) (uint64, error) {
	ctx, done := c.Epoch(ctx)
	defer done()
	config := fromSequence(from, subject)
	config.HeadersOnly = true
	consumer, err := c.JS.CreateConsumer(ctx, StreamSignals, config)
	if err != nil {
		return 0, cause(ctx, err)
	}
	defer c.forget(ctx, consumer)
	return consumer.CachedInfo().NumPending, nil
}

// idleTime is how long a consumer that nobody asks stays.
const idleTime = time.Minute

// fromSequence is a consumer of SIGNALS from a sequence on, for a moment: of a few
// subjects, or of none, which is all.
func fromSequence(from uint64, subjects ...string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: idleTime,
	}
}

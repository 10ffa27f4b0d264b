package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// entry is a message on an instance's position subject.
type entry struct {
	seq      uint64
	prev     uint64 // the position before it, by its fence; 0: it was the first
	chained  bool   // it has a fence; a hand-written one may have none
	position pipeline.Position
	err      error // why it can't be read as a position; nil: it can

	by, note string // set by an operator
}

func readEntry(m *jets.RawMsg) entry {
	e := entry{seq: m.Seq}
	e.prev, e.chained = jets.Expected(m.Header)
	e.err = json.Unmarshal(m.Data, &e.position)
	e.position.Seq = m.Seq
	e.by, e.note = jets.HeaderText(m.Header, headerBy), jets.HeaderText(m.Header, headerNote)
	return e
}

// history yields an instance's positions from the one at seq on backwards.
//
// A stored position says, in the fence that it was accepted under, which one
// was the newest before it: so the way back is a chain, and each step a read by
// sequence: 1,000 took 0.14 s beside the server. Where the chain is broken, by a deleted or a
// hand-written message, the subject is listed, which costs a walk through the stream.
func (s *Sink) history(ctx context.Context, seq uint64) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		var older []uint64 // set once the chain is broken: the sequences left to read
		listed := false
		for at := seq; at >= s.stream.First && at != 0; {
			m, err := s.store.Conn.At(ctx, jets.StreamSignals, at)
			missing := errors.Is(err, jets.ErrNoMessage) || err == nil && m.Subject != jets.SubjectPosition(s.store.Kind.Name, s.instance)
			if err != nil && !missing {
				yield(entry{}, err)
				return
			}
			var e entry
			if !missing {
				if e = readEntry(m); !yield(e, nil) {
					return
				}
			}
			if !missing && e.chained && !listed {
				at = e.prev
				continue
			}
			if !listed {
				if older, err = s.positionsBefore(ctx, at, seq); err != nil {
					yield(entry{}, err)
					return
				}
				listed = true
			}
			at = 0
			if n := len(older); n > 0 {
				at, older = older[n-1], older[:n-1]
			}
		}
	}
}

// positionsBefore lists the sequences of an instance's positions before at, the oldest
// first; through is one that exists.
func (s *Sink) positionsBefore(ctx context.Context, at, through uint64) ([]uint64, error) {
	var seqs []uint64
	err := s.scan(ctx, jets.SubjectPosition(s.store.Kind.Name, s.instance), 1, through, func(m jetstream.Msg, seq uint64) error {
		if seq < at {
			seqs = append(seqs, seq)
		}
		return nil
	})
	return seqs, err
}

// scan calls visit, headers only, for each message on subject between two sequences. The one at
// through must exist: scan waits for it if a replica is behind.
func (s *Sink) scan(ctx context.Context, subject string, from, through uint64, visit func(jetstream.Msg, uint64) error) error {
	if from > through {
		return nil
	}
	ctx, done := s.store.Conn.Epoch(ctx)
	defer done()
	consumer, err := s.store.Conn.JS.OrderedConsumer(ctx, jets.StreamSignals, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq: max(from, 1), HeadersOnly: true, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", subject, jets.Cause(ctx, err))
	}
	defer s.store.Conn.Forget(ctx, consumer)
	msgs, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read %s: %w", subject, err)
	}
	defer msgs.Stop()
	for {
		m, meta, err := jets.NextOf(ctx, msgs)
		if err != nil {
			return fmt.Errorf("read %s: %w", subject, err)
		}
		seq := meta.Sequence.Stream
		if seq > through {
			return nil
		}
		if err := visit(m, seq); err != nil || seq == through {
			return err
		}
	}
}

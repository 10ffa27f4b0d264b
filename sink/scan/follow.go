package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Sizes of a follower's requests. Each is above the largest message.
const (
	followMessages = 2000
	followBytes    = 16 << 20
)

// Point is a place in SIGNALS, and what stood there.
type Point struct {
	Created time.Time // of the stream
	Seq     uint64    // 0: before the first message
	At      time.Time // when the message there was stored; zero: unknown
}

// Check returns an error that matches ErrOtherStream if the stream is not the one that
// the point is in: it was made anew, or rolled back to before the point. A message that
// was removed since is no sign of that.
func (p Point) Check(ctx context.Context, conn *jets.Conn) error {
	extent, err := conn.Extent(ctx)
	switch {
	case err != nil:
		return err
	case !extent.Created.Equal(p.Created):
		return fmt.Errorf("%s was created at %s, not at %s: %w", jets.StreamSignals, extent.Created.Format(time.RFC3339), p.Created.Format(time.RFC3339), ErrOtherStream)
	case extent.Last < p.Seq:
		return fmt.Errorf("%s ends at sequence %d, before %d: %w", jets.StreamSignals, extent.Last, p.Seq, ErrOtherStream)
	case extent.First > p.Seq || p.At.IsZero():
		return nil
	}
	m, err := conn.At(ctx, jets.StreamSignals, p.Seq)
	switch {
	case errors.Is(err, jets.ErrNoMessage):
		return nil
	case err != nil:
		return err
	case !m.Time.Equal(p.At):
		return fmt.Errorf("message %d of %s was stored at %s, not at %s: %w", p.Seq, jets.StreamSignals, m.Time.Format(time.RFC3339Nano), p.At.Format(time.RFC3339Nano), ErrOtherStream)
	}
	return nil
}

// Follow calls take with each stored event after a point, in the stream's order, and then
// with new ones as they are stored, until ctx ends or take returns an error. pending is
// how many more events the stream holds at that moment. While NATS is away it waits. It
// returns an error that matches ErrOtherStream if the stream is not the point's any more.
//
// One consumer reads: the order of the stream is the order of its store. Events is faster
// for a few instances of many.
func Follow(ctx context.Context, conn *jets.Conn, kind *pipeline.Kind, after Point, take func(e *Stored, pending uint64) error) error {
	f := &follower{conn: conn, kind: kind, at: after, take: take}
	wait := RetryWait()
	for {
		before := f.at.Seq
		err := f.read(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case f.failed != nil:
			return f.failed
		case !Passing(err) && !errors.Is(err, jetstream.ErrNoHeartbeat) && !errors.Is(err, jetstream.ErrConsumerNotFound):
			return fmt.Errorf("follow %s from %d: %w", jets.StreamSignals, f.at.Seq+1, err)
		}
		if f.at.Seq > before {
			wait.Reset()
		}
		if err := SleepUntilUp(ctx, conn, wait.Next()); err != nil {
			return err
		}
	}
}

// follower is a Follow in progress.
type follower struct {
	conn   *jets.Conn
	kind   *pipeline.Kind
	at     Point // the event taken last
	take   func(e *Stored, pending uint64) error
	failed error // of take
}

// read follows by one consumer, until it fails.
func (f *follower) read(ctx context.Context) error {
	ctx, done := f.conn.Epoch(ctx)
	defer done()
	asking, cancel := context.WithTimeout(ctx, jets.RequestTimeout)
	defer cancel()
	consumer, err := f.conn.JS.CreateConsumer(asking, jets.StreamSignals, jets.FromSequence(f.at.Seq+1, jets.SubjectEvents(f.kind.Name, "*")))
	if err != nil {
		return jets.Cause(ctx, err)
	}
	defer f.conn.Forget(ctx, consumer)
	// After the consumer, which ends with its stream.
	if err := f.at.Check(asking, f.conn); err != nil {
		return jets.Cause(ctx, err)
	}
	msgs, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(followMessages, followBytes), jetstream.PullHeartbeat(5*time.Second))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for brought := uint64(1); ; brought++ {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return jets.Cause(ctx, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != brought {
			return errGap
		}
		e := newStored(f.kind, m, meta)
		if f.failed = f.take(e, meta.NumPending); f.failed != nil {
			return f.failed
		}
		f.at.Seq, f.at.At = e.Seq, e.At
	}
}

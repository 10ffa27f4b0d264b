// Package scan reads a range of the stream SIGNALS, in concurrent partitions: every event
// once, in the stream's order, through restarts of the server.
//
// It reads events but no positions, and writes nothing. Package republish publishes what
// it reads.
//
// Start reading at [Events].
package scan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	"github.com/witfoo/signal-client/sink/jets"
)

// Range selects stored events to read. The zero value selects all.
type Range struct {
	Kind      *pipeline.Kind // whose events
	Instances []string       // names, or patterns with *; none: every instance
	From      uint64         // first sequence; 0: the first kept
	Through   uint64         // last sequence, included; 0: the newest when reading begins
	Lanes     int            // how many partitions are read concurrently; 0: 4

	// Begun, unless nil, is called with the actual range: From and Through are the
	// stream's if they were left out or lie outside.
	Begun func(from, through uint64)
	// Read, unless nil, is called now and then with the sequence through which all events
	// have been yielded, between two of them.
	Read func(through uint64)
	// Away, unless nil, is called with an error when NATS does not answer, and with nil
	// when it does again. The lanes call it, one at a time.
	Away func(error)
	// Gone, unless nil, is called with sequences that were removed, by age, size or a
	// purge, before they could be read: events of the range may have been among them. The
	// lanes call it, one at a time.
	Gone func(first, last uint64)
}

const defaultLanes = 4

// Stored is a stored event.
type Stored struct {
	Kind     *pipeline.Kind // of its source
	Instance string
	Seq      uint64
	At       time.Time   // when the server stored it
	Header   nats.Header // as published; never nil
	Data     []byte      // the org's bytes
}

// newStored returns the event of a consumer's message.
func newStored(kind *pipeline.Kind, m jetstream.Msg, meta *jetstream.MsgMetadata) *Stored {
	return &Stored{
		Kind: kind, Instance: instanceOf(kind.Name, m.Subject()), Seq: meta.Sequence.Stream, At: meta.Timestamp.UTC(),
		Header: orEmpty(m.Headers()), Data: m.Data(),
	}
}

// storedOf returns the event of a message read from the leader.
func storedOf(kind *pipeline.Kind, m *jets.RawMsg) *Stored {
	return &Stored{Kind: kind, Instance: instanceOf(kind.Name, m.Subject), Seq: m.Seq, At: m.Time, Header: orEmpty(m.Header), Data: m.Data}
}

func orEmpty(h nats.Header) nats.Header {
	if h == nil {
		return nats.Header{}
	}
	return h
}

// ID returns the event's uuid: from its header or, if a foreign client wrote none, from
// its body; empty if it has none.
func (e *Stored) ID() string { return jets.EventID(e.Header, e.Data, e.Kind.Members.ID) }

// Type returns the event's type as its source names it, from header or body as ID does.
func (e *Stored) Type() string {
	if v := e.Header[jets.HeaderType]; len(v) > 0 {
		return strings.TrimPrefix(jets.DecodeHeader(v[0]), e.Kind.TypePrefix)
	}
	return jsonscan.Text(e.Data, e.Kind.Members.Type)
}

// Published returns when the event happened, from header or body as ID does; false: unknown.
func (e *Stored) Published() (time.Time, bool) {
	text := jets.HeaderText(e.Header, jets.HeaderTime)
	if text == "" {
		text = jsonscan.Text(e.Data, e.Kind.Members.Published)
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

// Events yields the stored events of a range in the stream's order, each once, without
// positions. An error is yielded last.
//
// The range is read in partitions, several at once, each by its own consumer. A single
// consumer is slow if an instance's events are far apart: the server unpacks one block of
// its store after another for it, on one core. At most a few dozen MB wait for an earlier
// partition.
//
// A stale replica of the stream may serve a consumer. What it has is true; it is a prefix
// of the stream. Only the leader decides that nothing more follows. So a range that ends
// at an acknowledged event is read to that event.
//
// While NATS is away it waits, and then continues where it was. An event that is removed
// meanwhile may be missing; see Range.Gone.
func Events(ctx context.Context, conn *jets.Conn, r Range) iter.Seq2[*Stored, error] {
	return newReading(conn, r).events(ctx)
}

// Instances counts the stored events of each instance.
func Instances(ctx context.Context, store *jets.Store) (map[string]uint64, error) {
	var i jets.Info
	if err := store.Conn.Ask(ctx, "STREAM.INFO."+jets.StreamSignals, perInstance(store.Kind.Name), &i); err != nil {
		return nil, fmt.Errorf("look up %s: %w", jets.StreamSignals, err)
	}
	events := map[string]uint64{}
	for subject, n := range i.State.Subjects {
		if instance := instanceOf(store.Kind.Name, subject); instance != "" {
			events[instance] = n
		}
	}
	return events, nil
}

// perInstance requests the event count of each instance with a stream's state.
func perInstance(kind string) map[string]any {
	return map[string]any{"subjects_filter": jets.SubjectEvents(kind, "*")}
}

// SequenceAt returns the sequence of the first message stored at or after a time, by the
// leader; one past the newest if there is none.
func SequenceAt(ctx context.Context, conn *jets.Conn, at time.Time) (uint64, error) {
	extent, err := conn.Extent(ctx)
	if err != nil {
		return 0, err
	}
	m, err := conn.Read(ctx, jets.StreamSignals, map[string]any{"start_time": at.UTC(), "next_by_subj": ">"})
	if errors.Is(err, jets.ErrNoMessage) {
		return extent.Last + 1, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Seq, nil
}

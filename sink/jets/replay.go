package jets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// Range says which stored events to read. The zero value is all of them.
type Range struct {
	Instances []string // names, or patterns in which * stands for any characters; none: every instance
	From      uint64   // first sequence; 0: the first kept
	Through   uint64   // last sequence, included; 0: the newest when the reading begins
	Lanes     int      // how many parts are read side by side; 0: 4

	// Begun is told the range as it was found: From and Through are those of
	// the stream where they were left out or lie outside. nil: not told.
	Begun func(from, through uint64)
	// Read is told now and then through which sequence all events have been
	// yielded, between two of them. nil: not told.
	Read func(through uint64)
	// Away is told that NATS does not answer, and with nil that it does
	// again. The lanes call it, one at a time. nil: not told.
	Away func(error)
	// Gone is told which sequences were removed, by age, size or a purge, before
	// they could be read: events of the range may have been among them. The lanes
	// call it, one at a time. nil: not told.
	Gone func(first, last uint64)
}

const defaultLanes = 4

// Stored is an event as the stream holds it.
type Stored struct {
	Instance string
	Seq      uint64
	At       time.Time   // when the server stored it
	Header   nats.Header // as it was published; never nil
	Data     []byte      // Okta's bytes
}

// newStored is the event of a message that a consumer brought.
func newStored(m jetstream.Msg, meta *jetstream.MsgMetadata) *Stored {
	return &Stored{
		Instance: instanceOf(m.Subject()), Seq: meta.Sequence.Stream, At: meta.Timestamp.UTC(),
		Header: orEmpty(m.Headers()), Data: m.Data(),
	}
}

// storedOf is the event of a message that the leader gave.
func storedOf(m *RawMsg) *Stored {
	return &Stored{Instance: instanceOf(m.Subject), Seq: m.Seq, At: m.Time, Header: orEmpty(m.Header), Data: m.Data}
}

func orEmpty(h nats.Header) nats.Header {
	if h == nil {
		return nats.Header{}
	}
	return h
}

// ID is the event's uuid: out of its header, or, where a foreign client wrote
// it without, out of its body; empty when it has none.
func (e *Stored) ID() string { return eventID(e.Header, e.Data) }

// Type is Okta's eventType, from where ID takes its own.
func (e *Stored) Type() string {
	if v := e.Header[headerType]; len(v) > 0 {
		return strings.TrimPrefix(decodeHeader(v[0]), typePrefix)
	}
	return jsonscan.Text(e.Data, "eventType")
}

// Published is when the event happened, from where ID takes its own; false when
// it does not say so.
func (e *Stored) Published() (time.Time, bool) {
	text := headerText(e.Header, headerTime)
	if text == "" {
		text = jsonscan.Text(e.Data, "published")
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

// Events yields the stored events of a range in the stream's order, each once;
// positions never. An error is yielded last.
//
// The range is read in parts, several at once, each by a consumer of its own. One
// consumer alone is slow where an instance's events lie far apart: the server unpacks
// one block of its store after another for it, on one core. At most a few dozen MB
// wait for the part before them.
//
// A copy of the stream that trails may serve a consumer. What it has is true,
// it is a beginning of the stream; that nothing more comes is believed of the leader
// alone. So a range that ends at an acknowledged event is read to that event.
//
// While NATS is away it waits, and goes on where it was. An event that was there at
// the beginning and is removed meanwhile may be missing; see Range.Gone.
func Events(ctx context.Context, conn *Conn, r Range) iter.Seq2[*Stored, error] {
	return newReading(conn, r).events(ctx)
}

// Instances counts the stored events of each instance.
func Instances(ctx context.Context, conn *Conn) (map[string]uint64, error) {
	var i info
	if err := conn.ask(ctx, "STREAM.INFO."+StreamSignals, perInstance, &i); err != nil {
		return nil, fmt.Errorf("look up %s: %w", StreamSignals, err)
	}
	events := map[string]uint64{}
	for subject, n := range i.State.Subjects {
		if instance := instanceOf(subject); instance != "" {
			events[instance] = n
		}
	}
	return events, nil
}

// perInstance has an answer about the stream count the events of each instance.
var perInstance = map[string]any{"subjects_filter": SubjectEvents("*")}

// SequenceAt is the sequence of the first message that was stored at or after a
// time, asked of the leader; one past the newest when there is none.
func SequenceAt(ctx context.Context, conn *Conn, at time.Time) (uint64, error) {
	extent, err := conn.Extent(ctx)
	if err != nil {
		return 0, err
	}
	m, err := conn.read(ctx, StreamSignals, map[string]any{"start_time": at.UTC(), "next_by_subj": ">"})
	if errors.Is(err, ErrNoMessage) {
		return extent.Last + 1, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Seq, nil
}

package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Absence is why no event stands at a sequence.
type Absence string

// The absences.
const (
	NotYet  Absence = "the stream has not come that far"
	AgedOut Absence = "the stream no longer keeps it"
	Removed Absence = "no message is stored there: it was deleted or purged"
	NoEvent Absence = "the message there is no event" // a position, or of another kind of source
)

// AbsentError says that no event stands at a sequence.
type AbsentError struct {
	Seq     uint64
	Why     Absence
	First   uint64       // sequence of the first message kept, unless Why is NoEvent
	Last    uint64       // of the newest, unless Why is NoEvent
	Message *jets.RawMsg // what stands there, if Why is NoEvent
}

func (e *AbsentError) Error() string { return fmt.Sprintf("event %d: %s", e.Seq, e.Why) }

// At reads the event at a sequence from the stream's leader, of any of the kinds. If none
// stands there, the error is an *[AbsentError].
func At(ctx context.Context, conn *jets.Conn, kinds []*pipeline.Kind, seq uint64) (*Stored, error) {
	m, err := conn.At(ctx, jets.StreamSignals, seq)
	if errors.Is(err, jets.ErrNoMessage) {
		return nil, absent(ctx, conn, seq)
	}
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if e := storedOf(kind, m); e.Instance != "" {
			return e, nil
		}
	}
	return nil, &AbsentError{Seq: seq, Why: NoEvent, Message: m}
}

// Newest reads the newest event of an instance from the stream's leader. Its error matches
// jets.ErrNoMessage if none is kept.
func Newest(ctx context.Context, conn *jets.Conn, kind *pipeline.Kind, instance string) (*Stored, error) {
	m, err := conn.Last(ctx, jets.StreamSignals, jets.SubjectEvents(kind.Name, instance))
	if err != nil {
		return nil, err
	}
	return storedOf(kind, m), nil
}

// absent returns the error for a sequence without a message.
func absent(ctx context.Context, conn *jets.Conn, seq uint64) error {
	extent, err := conn.Extent(ctx)
	if err != nil {
		return err
	}
	a := &AbsentError{Seq: seq, Why: Removed, First: extent.First, Last: extent.Last}
	switch {
	case seq > extent.Last:
		a.Why = NotYet
	case seq < extent.First:
		a.Why = AgedOut
	}
	return a
}

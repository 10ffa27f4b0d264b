package jetstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// Logged is an event in the log of the org whose stream is audited.
type Logged struct {
	UUID      string
	Data      []byte
	Persisted time.Time // when the org committed it to its log
	Kind      Kind
}

// Kind is where an event of the org must be in the stream.
type Kind int

const (
	Live  Kind = iota // in order, by the live poll
	Past              // anywhere: it is older than the live poll's since
	Loose             // anywhere, stored in any way, or missing
)

// Audit compares a stream with an org's whole log: every event once, in the org's order,
// byte for byte, and every watermark true.
type Audit struct {
	Stream    string // name
	Events    string // subject of the instance's events
	Positions string // subject of its positions
	Log       []Logged
	// Kept is the time from which everything that the org persisted must be in the
	// stream: it may have dropped older events. Zero: it has dropped none.
	Kept time.Time

	place map[string]int // index in Log, by uuid
	other map[int]bool   // events in Log that are not Live and were found
	next  int            // index in Log of the next live event expected
	begun bool           // the first kept event was found
	mark  time.Time
}

// Run reads the whole stream. Its error is the first fault.
func (a *Audit) Run(ctx context.Context, js jetstream.JetStream) error {
	a.place = make(map[string]int, len(a.Log))
	for i, e := range a.Log {
		a.place[e.UUID] = i
	}
	a.other, a.next, a.begun = map[int]bool{}, -1, a.Kept.IsZero()
	a.advance()
	if err := a.read(ctx, js); err != nil {
		return err
	}
	a.skipDropped(len(a.Log))
	for i, e := range a.Log {
		if e.Kind == Past && !a.other[i] {
			return fmt.Errorf("event %d (%s, persisted %v) of the past is missing", i, e.UUID, e.Persisted)
		}
	}
	if a.next != len(a.Log) {
		missing := a.Log[a.next]
		return fmt.Errorf("%d of %d events stored; the first missing is %s, persisted %v", a.next, len(a.Log), missing.UUID, missing.Persisted)
	}
	return nil
}

func (a *Audit) read(ctx context.Context, js jetstream.JetStream) error {
	consumer, err := js.OrderedConsumer(ctx, a.Stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{a.Events, a.Positions}})
	if err != nil {
		return err
	}
	defer func() { _ = js.DeleteConsumer(context.WithoutCancel(ctx), a.Stream, consumer.CachedInfo().Name) }()
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	msgs, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for pending := uint64(1); pending > 0; {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		pending = meta.NumPending
		if err := a.see(m); err != nil {
			return fmt.Errorf("message %d: %w", meta.Sequence.Stream, err)
		}
	}
	return nil
}

func (a *Audit) see(m jetstream.Msg) error {
	if m.Subject() == a.Positions {
		return a.position(m.Data())
	}
	uuid := m.Headers().Get("ce-id")
	i, known := a.place[uuid]
	switch {
	case !known:
		return fmt.Errorf("event %q, which the org does not have", uuid)
	case !bytes.Equal(m.Data(), a.Log[i].Data):
		return fmt.Errorf("other bytes than its event's:\n%s\n%s", m.Data(), a.Log[i].Data)
	case a.Log[i].Kind != Live:
		return a.outOfOrder(i)
	}
	a.skipDropped(i)
	switch {
	case i < a.next:
		return fmt.Errorf("event %d (%s) again, or late: %d come before it", i, uuid, a.next)
	case i > a.next:
		return fmt.Errorf("event %d; event %d (%s, persisted %v) is missing", i, a.next, a.Log[a.next].UUID, a.Log[a.next].Persisted)
	}
	a.advance()
	return nil
}

// skipDropped skips the events before the first one kept, at i, as far as they may have
// been dropped.
func (a *Audit) skipDropped(i int) {
	for ; !a.begun && a.next < i && a.Log[a.next].Persisted.Before(a.Kept); a.advance() {
	}
	a.begun = true
}

// advance moves to the next live event.
func (a *Audit) advance() {
	for a.next++; a.next < len(a.Log) && a.Log[a.next].Kind != Live; a.next++ {
	}
}

// outOfOrder records an event without a fixed place.
func (a *Audit) outOfOrder(i int) error {
	if a.other[i] {
		return fmt.Errorf("event %d (%s) of the past again", i, a.Log[i].UUID)
	}
	a.other[i] = true
	return nil
}

// position checks a watermark: everything that the org persisted up to it is stored
// before it, and it moves back only at a start.
func (a *Audit) position(data []byte) error {
	var p pipeline.Position
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("no position: %w", err)
	}
	if a.begun && a.next < len(a.Log) && !a.Log[a.next].Persisted.After(p.CompleteThrough) {
		return fmt.Errorf("position (%s) says complete through %v, and event %d, persisted %v, is not there",
			p.Why, p.CompleteThrough, a.next, a.Log[a.next].Persisted)
	}
	if p.CompleteThrough.Before(a.mark) && p.Why != pipeline.WhyStart {
		return fmt.Errorf("watermark moves back (%s): %v after %v", p.Why, p.CompleteThrough, a.mark)
	}
	a.mark = p.CompleteThrough
	return nil
}

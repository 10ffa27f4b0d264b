package signals

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// envelope makes the messages of events: the org's bytes, and headers that a consumer routes
// by. It reuses one message: a client copies a message when it sends it, and a thousand
// per page would cost more than their bytes. There is no Nats-Msg-Id: exactness comes
// from the fence, and the server would refuse a whole batch for one repeat.
type envelope struct {
	prefix        string // of the types
	msg           nats.Msg
	id, typ, time []string // values of the headers that vary
}

func newEnvelope(subject, source, prefix string) *envelope {
	v := &envelope{prefix: prefix, id: []string{""}, typ: []string{""}, time: []string{""}}
	v.msg = nats.Msg{Subject: subject, Header: nats.Header{
		jets.HeaderSpecVersion: {"1.0"},
		jets.HeaderID:          v.id,
		jets.HeaderSource:      {source},
		jets.HeaderType:        v.typ,
		jets.HeaderContentType: {"application/json"},
	}}
	return v
}

// Of returns the message of an event, valid until the next call.
func (v *envelope) Of(e *pipeline.Event) *nats.Msg {
	v.msg.Data = e.Data
	v.id[0] = jets.EncodeHeader(e.UUID)
	v.typ[0] = v.prefix + cmp.Or(fitting(e.Type), "unknown")
	if v.time[0] = fitting(e.Time); v.time[0] != "" {
		v.msg.Header[jets.HeaderTime] = v.time
	} else {
		delete(v.msg.Header, jets.HeaderTime)
	}
	return &v.msg
}

// fitting returns a value encoded for a header; empty if it is so long that no consumer
// could use it: the event's data has it anyway.
func fitting(value string) string {
	const longest = 4 << 10
	if encoded := jets.EncodeHeader(value); len(encoded) <= longest {
		return encoded
	}
	return ""
}

// Origin marks all further messages as stored by a backfill or a repair.
func (v *envelope) Origin(why pipeline.Why) { v.msg.Header[jets.HeaderOrigin] = []string{string(why)} }

// maxHeader is how many bytes of headers a message of a stream may have. A server refuses
// a batch with more (10097). Source: nats-server 2.15.2, server/jetstream_batching.go.
const maxHeader = math.MaxUint16

// Larger reports whether an event's message exceeds limit bytes, or maxHeader.
func (v *envelope) Larger(e *pipeline.Event, limit int) bool {
	const others = 1024 // everything but the varying values, which encoding makes at most three times as long
	headers := 3*(len(e.UUID)+len(e.Type)+len(e.Time)) + others
	if len(e.Data)+headers <= limit && headers <= maxHeader {
		return false
	}
	whole := size(v.Of(e))
	return whole > limit || whole-len(e.Data) > maxHeader
}

// TooLarge reports whether an event's message exceeds what the stream accepts.
func TooLarge(store *jets.Store, instance string, e *pipeline.Event) bool {
	return newEnvelope(jets.SubjectEvents(store.Kind.Name, instance), "", store.Kind.TypePrefix).Larger(e, store.MaxMessage())
}

func positionMessage(subject string, p pipeline.Position) (*nats.Msg, error) {
	data, err := p.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode position: %w", err)
	}
	return &nats.Msg{Subject: subject, Header: nats.Header{}, Data: data}, nil
}

// size estimates a message's share of the max payload, with the headers that a batch adds.
func size(m *nats.Msg) int {
	n := len(m.Data) + 256
	for name, values := range m.Header {
		n += len(name) + len(values[0]) + 4
	}
	return n
}

package jets

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// Headers of an event: CloudEvents 1.0, binary mode of the NATS binding. The names are
// lower case because NATS headers are case-sensitive.
const (
	headerSpecVersion = "ce-specversion"
	headerID          = "ce-id"
	headerSource      = "ce-source"
	headerType        = "ce-type"
	headerTime        = "ce-time"
	headerContentType = "ce-datacontenttype"
)

// Headers of JetStream.
const (
	headerBatchID       = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"
	headerFence         = "Nats-Expected-Last-Subject-Sequence"
	headerMsgID         = "Nats-Msg-Id"
)

// envelope makes the messages of events: Okta's bytes, and headers that a consumer routes
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
		headerSpecVersion: {"1.0"},
		headerID:          v.id,
		headerSource:      {source},
		headerType:        v.typ,
		headerContentType: {"application/json"},
	}}
	return v
}

// Of returns the message of an event, valid until the next call.
func (v *envelope) Of(e *pipeline.Event) *nats.Msg {
	v.msg.Data = e.Data
	v.id[0] = encodeHeader(e.UUID)
	v.typ[0] = v.prefix + cmp.Or(fitting(e.Type), "unknown")
	if v.time[0] = fitting(e.Time); v.time[0] != "" {
		v.msg.Header[headerTime] = v.time
	} else {
		delete(v.msg.Header, headerTime)
	}
	return &v.msg
}

// fitting returns a value encoded for a header; empty if it is so long that no consumer
// could use it: the event's data has it anyway.
func fitting(value string) string {
	const longest = 4 << 10
	if encoded := encodeHeader(value); len(encoded) <= longest {
		return encoded
	}
	return ""
}

// Origin marks all further messages as stored by a backfill or a repair.
func (v *envelope) Origin(why pipeline.Why) { v.msg.Header[headerOrigin] = []string{string(why)} }

// maxHeader is how many bytes of headers a message of a stream may have. A server refuses
// a batch with more (10097). Source: nats-server 2.15.2, server/jetstream_batching.go.
const maxHeader = math.MaxUint16

// Larger reports whether an event's message exceeds limit bytes, or its headers exceed
// maxHeader.
func (v *envelope) Larger(e *pipeline.Event, limit int) bool {
	const others = 1024 // everything but the varying values, which encoding makes at most three times as long
	headers := 3*(len(e.UUID)+len(e.Type)+len(e.Time)) + others
	if len(e.Data)+headers <= limit && headers <= maxHeader {
		return false
	}
	whole := size(v.Of(e))
	return whole > limit || whole-len(e.Data) > maxHeader
}

// positionMessage returns the message of a position.
func positionMessage(subject string, p pipeline.Position) (*nats.Msg, error) {
	data, err := p.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode position: %w", err)
	}
	return &nats.Msg{Subject: subject, Header: nats.Header{}, Data: data}, nil
}

// expect sets the fence: the server stores the message only if seq is the last sequence
// of its subject; 0: if the subject has none.
func expect(m *nats.Msg, seq uint64) {
	m.Header[headerFence] = []string{strconv.FormatUint(seq, 10)}
}

// expected returns the sequence that a stored message expected, and whether it expected
// one.
func expected(h nats.Header) (uint64, bool) {
	v := h[headerFence]
	if len(v) == 0 {
		return 0, false
	}
	seq, err := strconv.ParseUint(v[0], 10, 64)
	return seq, err == nil
}

// size estimates a message's share of the server's max payload, with the headers that a
// batch adds.
func size(m *nats.Msg) int {
	n := len(m.Data) + 256
	for name, values := range m.Header {
		n += len(name) + len(values[0]) + 4
	}
	return n
}

const upperHex = "0123456789ABCDEF"

// encodeHeader percent-encodes a value by the CloudEvents NATS binding: space, quote,
// percent and everything outside U+0021 to U+007E. Source: cloudevents/spec
// bindings/nats-protocol-binding.md 3.1.3.2, read 2026-11-22.
func encodeHeader(s string) string {
	clean := true
	for i := range len(s) {
		clean = clean && plain(s[i])
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

func plain(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }

// decodeHeader reverses encodeHeader. Invalid encodings are left unchanged.
func decodeHeader(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// eventID returns the uuid of a stored event: from its header or, if a foreign client
// wrote none, from its body; empty if it has none.
func eventID(h nats.Header, data []byte) string {
	if id := headerText(h, headerID); id != "" {
		return id
	}
	return jsonscan.Text(data, "uuid")
}

// headerText returns the decoded value of a header; empty: none.
func headerText(h nats.Header, name string) string { return decodeHeader(first(h, name)) }

// first returns a header's first value, not decoded; empty: none.
func first(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

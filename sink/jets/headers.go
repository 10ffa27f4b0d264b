package jets

import (
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// Headers of an event: CloudEvents 1.0, binary mode of the NATS binding. The names are
// lower case because NATS headers are case-sensitive.
const (
	HeaderSpecVersion = "ce-specversion"
	HeaderID          = "ce-id"
	HeaderSource      = "ce-source"
	HeaderType        = "ce-type"
	HeaderTime        = "ce-time"
	HeaderContentType = "ce-datacontenttype"
)

// HeaderOrigin marks an event that no live poll stored: backfill or repair.
const HeaderOrigin = "Signal-Origin"

// Headers of JetStream.
const (
	headerBatchID       = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"
	headerFence         = "Nats-Expected-Last-Subject-Sequence"
	HeaderMsgID         = "Nats-Msg-Id"
)

const upperHex = "0123456789ABCDEF"

// EncodeHeader percent-encodes a value by the CloudEvents NATS binding: space, quote,
// percent and everything outside U+0021 to U+007E. Source: cloudevents/spec
// bindings/nats-protocol-binding.md 3.1.3.2, read 2026-11-22.
func EncodeHeader(s string) string {
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

// DecodeHeader reverses EncodeHeader. Invalid encodings are left unchanged.
func DecodeHeader(s string) string {
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

// EventID returns the uuid of a stored event: from its header or, if a foreign client
// wrote none, from the member of its body; empty if it has none.
func EventID(h nats.Header, data []byte, member string) string {
	if id := HeaderText(h, HeaderID); id != "" {
		return id
	}
	return jsonscan.Text(data, member)
}

// HeaderText returns the decoded value of a header; empty: none.
func HeaderText(h nats.Header, name string) string { return DecodeHeader(First(h, name)) }

// First returns a header's first value, not decoded; empty: none.
func First(h nats.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

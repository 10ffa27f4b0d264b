package jets

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
)

// Headers of a dead letter.
const (
	headerReason = "Signal-Reason" // a pipeline.Flaw
	headerSize   = "Signal-Size"   // bytes of the element, before it was cut to fit
	headerCursor = "Signal-Cursor" // the link that served it
)

// letter is an element that can't be published, and its place in its page.
type letter struct {
	event pipeline.Event
	place int
}

// bury publishes dead letters and awaits their acks: at least once, for a
// restart before the page's commit publishes them again. Their Nats-Msg-Id
// keeps repeats within the duplicate window out.
func (s *Sink) bury(ctx context.Context, link pipeline.Link, dead []letter) error {
	for _, l := range dead {
		m := s.letterMessage(link, l)
		name := idOf(m.Header.Get(headerMsgID))
		if s.recent.has(name) {
			continue // the link has not moved, and the page came again
		}
		if _, err := s.store.publisher.publish(ctx, []*nats.Msg{m}); err != nil {
			return fmt.Errorf("publish dead letter: %w", err)
		}
		s.recent.add(name)
		s.trace.DeadLetter(s.instance, l.event.Flaw)
		s.log.Warn("element is no event that can be published, kept as dead letter",
			"reason", string(l.event.Flaw), "bytes", len(l.event.Data), "link", link)
	}
	return nil
}

func (s *Sink) letterMessage(link pipeline.Link, l letter) *nats.Msg {
	sum := sha256.New()
	for _, part := range []string{s.instance, string(link), strconv.Itoa(l.place), string(l.event.Data)} {
		_ = binary.Write(sum, binary.BigEndian, uint64(len(part)))
		sum.Write([]byte(part))
	}
	m := &nats.Msg{Subject: SubjectDeadLetter(s.instance), Data: l.event.Data, Header: nats.Header{
		headerReason: {string(l.event.Flaw)},
		headerSize:   {strconv.Itoa(len(l.event.Data))},
		headerCursor: {string(link[:min(len(link), maxHeader/2)])}, // out of a header itself: no control characters
		headerMsgID:  {hex.EncodeToString(sum.Sum(nil)[:16])},
	}}
	if over := size(m) - s.store.maxLetter(); over > 0 {
		m.Data = m.Data[:max(0, len(m.Data)-over)]
	}
	return m
}

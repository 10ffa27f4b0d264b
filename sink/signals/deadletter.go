package signals

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Headers of a dead letter.
const (
	HeaderReason = "Signal-Reason" // a pipeline.Flaw
	HeaderSize   = "Signal-Size"   // bytes of the element, before it was cut to fit
	HeaderCursor = "Signal-Cursor" // the link that served it
)

// deadLetter is an element that can't be published, and its index in the page.
type deadLetter struct {
	event pipeline.Event
	place int
}

// writeDeadLetters publishes dead letters and awaits their acks. They are kept at least once: a
// restart before the page's commit publishes them again, and their Nats-Msg-Id drops
// repeats within the duplicate window.
//
// It returns the letters that DEADLETTER refuses for good; they stop no event. Each is
// logged at once, so a restart finds it kept or logged, or finds its page uncommitted and
// does both again. Any other error is doubt: the page is not committed, and nothing is
// lost.
func (s *Sink) writeDeadLetters(ctx context.Context, link pipeline.Link, dead []deadLetter) (lost []deadLetter, err error) {
	var denied error
	for _, l := range dead {
		name := idOf(s.letterMessage(link, l).Header.Get(jets.HeaderMsgID))
		if s.recent.has(name) {
			continue // the same page was read again
		}
		repeat, err := false, denied
		if denied == nil { // each refusal costs the full ack timeout
			repeat, err = s.keep(ctx, link, l)
		}
		switch {
		case errors.Is(err, errNotKept):
			lost = append(lost, l)
			s.tellLost(link, l, name, err)
			if errors.Is(err, nats.ErrPermissionViolation) {
				denied = err
			}
			continue
		case err != nil:
			return nil, fmt.Errorf("publish dead letter: %w", err)
		}
		s.recent.add(name)
		if repeat {
			continue // kept and logged before a restart
		}
		s.trace.DeadLetter(s.instance, l.event.Flaw)
		s.log.Warn(badElement(l.event.Flaw)+", kept as dead letter",
			"reason", string(l.event.Flaw), "bytes", len(l.event.Data), "link", link)
	}
	return lost, nil
}

// tellLost logs a lost element once: its page may take several attempts to commit, as on
// a server that has no room for the events either.
func (s *Sink) tellLost(link pipeline.Link, l deadLetter, name id, err error) {
	if _, told := s.told[name]; told {
		return
	}
	if s.told == nil {
		s.told = map[id]struct{}{}
	}
	s.told[name] = struct{}{}
	s.log.Error(badElement(l.event.Flaw)+" is lost: no dead letter can be kept",
		"reason", string(l.event.Flaw), "uuid", l.event.UUID[:min(len(l.event.UUID), 100)], "place", l.place, "bytes", len(l.event.Data), "link", link, "err", err)
}

// lose counts the lost elements, once their page is committed.
func (s *Sink) lose(lost []deadLetter) {
	for _, l := range lost {
		s.trace.DeadLetterLost(s.instance, l.event.Flaw)
	}
	clear(s.told)
}

func badElement(f pipeline.Flaw) string {
	if f == pipeline.FlawConflict {
		return "event has the uuid of another one with other bytes"
	}
	return "element that can't be published as an event"
}

// letterMessage returns the message of a dead letter. Its Nats-Msg-Id covers link and
// index, so that equal elements of a page are all kept; that of a conflicting repeat does
// not, because an org may serve it in every page.
func (s *Sink) letterMessage(link pipeline.Link, l deadLetter) *nats.Msg {
	known := []string{s.instance, string(link), strconv.Itoa(l.place), string(l.event.Data)}
	if l.event.Flaw == pipeline.FlawConflict {
		known = []string{s.instance, string(l.event.Flaw), l.event.UUID, string(l.event.Data)}
	}
	sum := sha256.New()
	for _, part := range known {
		_ = binary.Write(sum, binary.BigEndian, uint64(len(part)))
		sum.Write([]byte(part))
	}
	m := &nats.Msg{Subject: jets.SubjectDeadLetter(s.store.Kind.Name, s.instance), Data: l.event.Data, Header: nats.Header{
		HeaderReason:     {string(l.event.Flaw)},
		HeaderSize:       {strconv.Itoa(len(l.event.Data))},
		HeaderCursor:     {string(link[:min(len(link), maxHeader/2)])}, // from a header: it has no control characters
		jets.HeaderMsgID: {hex.EncodeToString(sum.Sum(nil)[:16])},
	}}
	if over := size(m) - s.store.MaxLetter(); over > 0 {
		m.Data = m.Data[:max(0, len(m.Data)-over)]
	}
	return m
}

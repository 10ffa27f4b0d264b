package jets

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
//
// It returns those that DEADLETTER will not take: they stop no event. Each is told
// in the log at once, so a restart finds it either kept or told, or finds its page
// not committed and does both again. Any other error is doubt: the page is not
// committed, and nothing is lost.
func (s *Sink) bury(ctx context.Context, link pipeline.Link, dead []letter) (lost []letter, err error) {
	var denied error
	for _, l := range dead {
		name := idOf(s.letterMessage(link, l).Header.Get(headerMsgID))
		if s.recent.has(name) {
			continue // the link has not moved, and the page came again
		}
		repeat, err := false, denied
		if denied == nil { // it takes the whole time of an ack to find out
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
			continue // kept and told before a restart
		}
		s.trace.DeadLetter(s.instance, l.event.Flaw)
		s.log.Warn(badElement(l.event.Flaw)+", kept as dead letter",
			"reason", string(l.event.Flaw), "bytes", len(l.event.Data), "link", link)
	}
	return lost, nil
}

// tellLost logs an element that is lost, once: its page may have to be committed
// several times, as on a server that has no room for the events either.
func (s *Sink) tellLost(link pipeline.Link, l letter, name id, err error) {
	if _, told := s.told[name]; told {
		return
	}
	if s.told == nil {
		s.told = map[id]struct{}{}
	}
	s.told[name] = struct{}{}
	s.log.Error(badElement(l.event.Flaw)+", and is lost: no dead letter can be kept",
		"reason", string(l.event.Flaw), "uuid", cut(l.event.UUID), "place", l.place, "bytes", len(l.event.Data), "link", link, "err", err)
}

// lose counts the elements that are lost, once their page is committed.
func (s *Sink) lose(lost []letter) {
	for _, l := range lost {
		s.trace.DeadLetterLost(s.instance, l.event.Flaw)
	}
	clear(s.told)
}

// cut is the beginning of a uuid, which may be of any length.
func cut(uuid string) string { return uuid[:min(len(uuid), 100)] }

func badElement(f pipeline.Flaw) string {
	if f == pipeline.FlawConflict {
		return "event has the uuid of another one with other bytes"
	}
	return "element is no event that can be published"
}

// letterMessage is the message of a dead letter. What it is recognised by has its link
// and place in it, so that the same text twice in a page is kept twice; a conflicting
// repeat has neither, as an org may serve it in every page.
func (s *Sink) letterMessage(link pipeline.Link, l letter) *nats.Msg {
	known := []string{s.instance, string(link), strconv.Itoa(l.place), string(l.event.Data)}
	if l.event.Flaw == pipeline.FlawConflict {
		known = []string{s.instance, string(l.event.Flaw), l.event.UUID, string(l.event.Data)}
	}
	sum := sha256.New()
	for _, part := range known {
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

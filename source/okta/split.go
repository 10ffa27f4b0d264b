package okta

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/witfoo/signal-client/pipeline"
)

// split cuts a body, which must be one JSON array and nothing else, into its
// elements. Their bytes are the body's own: none is copied, none changed. limit
// is how many there may be, for the first guess at the room they need.
func split(body []byte, limit int) ([]pipeline.Event, error) {
	s := scanner{data: body}
	if s.peek() != '[' {
		return nil, s.fail("the beginning of a JSON array")
	}
	guess := min(limit, len(body)/1024+1)
	events := make([]pipeline.Event, 0, guess)
	kept := new(keeper)
	kept.Grow(guess * 96)
	err := s.array(1, func() error {
		event, err := s.event(kept)
		events = append(events, event)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.peek(); s.pos != len(body) {
		return nil, errors.New("more follows the JSON array")
	}
	return events, nil
}

// event reads the page's element at pos.
func (s *scanner) event(kept *keeper) (pipeline.Event, error) {
	var found members
	var err error
	isObject := s.peek() == '{'
	begin := s.pos
	if isObject {
		err = s.object(2, &found)
	} else {
		err = s.value(1)
	}
	if err != nil {
		return pipeline.Event{}, err
	}
	event := pipeline.Event{Data: s.data[begin:s.pos:s.pos]}
	if !isObject {
		event.Flaw = pipeline.FlawNotObject
		return event, nil
	}
	classify(&event, found, kept)
	return event, nil
}

// classify reads the members by which an event is known. All but uuid may be
// of any shape.
func classify(event *pipeline.Event, found members, kept *keeper) {
	event.Type = kept.text(found.eventType)
	if given := kept.text(found.published); given != "" {
		event.Published, event.Time = moment(given)
	}
	if uuid := kept.text(found.uuid); isID(uuid) {
		event.UUID = uuid
	} else {
		event.Flaw = pipeline.FlawNoUUID
	}
}

// moment reads an RFC 3339 time; zero and empty when it is none. time.Parse lets an
// hour of one digit and a comma pass, and an offset can lead out of the years
// that a position can hold.
func moment(given string) (time.Time, string) {
	at, err := time.Parse(time.RFC3339, given)
	at = at.UTC()
	if err != nil || given[13] != ':' || strings.Contains(given, ",") || at.IsZero() || at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, ""
	}
	return at, given
}

// isID reports whether a text tells an event from all others. What could not
// be decoded has become U+FFFD, and so might be any of several.
func isID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}

// keeper holds the short texts of a page's events in one allocation.
type keeper struct{ strings.Builder }

// text decodes a raw JSON string; empty when it is none.
func (k *keeper) text(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c == '\\' || c >= 0x80 {
			decoded, _ := decode(raw)
			return decoded
		}
	}
	begin := k.Len()
	k.Write(raw[1 : len(raw)-1])
	return k.String()[begin:]
}

// decode decodes a raw JSON string of any kind.
func decode(raw []byte) (string, error) {
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

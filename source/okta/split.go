package okta

import (
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
)

// split splits a body, which must be one JSON array and nothing else, into its elements.
// They share the body's bytes, which are neither copied nor changed. limit is the
// requested number of elements, for the first allocation.
func split(body []byte, limit int) ([]pipeline.Event, error) {
	s := jsonscan.New(body)
	if s.Peek() != '[' {
		return nil, s.Fail("the beginning of a JSON array")
	}
	guess := min(limit, len(body)/1024+1)
	events := make([]pipeline.Event, 0, guess)
	kept := new(textArena)
	kept.Grow(guess * 96)
	err := s.Array(func() error {
		event, err := readEvent(s, body, kept)
		events = append(events, event)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !s.Ended() {
		return nil, errors.New("more follows the JSON array")
	}
	return events, nil
}

// members are the raw values of an element's identifying members; nil: absent.
type members struct{ uuid, published, eventType []byte }

func readEvent(s *jsonscan.Scanner, data []byte, kept *textArena) (pipeline.Event, error) {
	var found members
	var err error
	isObject := s.Peek() == '{'
	begin, before := s.Pos(), *s
	if isObject {
		err = s.Object(func(name, value []byte) {
			switch string(name) {
			case "uuid":
				found.uuid = value
			case "published":
				found.published = value
			case "eventType":
				found.eventType = value
			}
		})
	} else {
		err = s.Value()
	}
	deep := errors.Is(err, jsonscan.ErrDeep)
	if deep { // it must not hold up the events beside it
		*s = before
		err = s.Skip()
	}
	if err != nil {
		return pipeline.Event{}, err
	}
	event := pipeline.Event{Data: data[begin:s.Pos():s.Pos()]}
	switch {
	case !isObject:
		event.Flaw = pipeline.FlawNotObject
		return event, nil
	case deep:
		event.Flaw = pipeline.FlawTooDeep
		return event, nil
	}
	classify(&event, found, kept)
	return event, nil
}

// classify sets an event's members. All but uuid may be of any shape.
func classify(event *pipeline.Event, found members, kept *textArena) {
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

// moment reads an RFC 3339 time; zero and empty if it is none. time.Parse accepts an hour of
// one digit and a comma, and offsets may leave the years that a position can hold.
func moment(given string) (time.Time, string) {
	at, err := time.Parse(time.RFC3339, given)
	at = at.UTC()
	if err != nil || given[13] != ':' || strings.Contains(given, ",") || at.IsZero() || at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, ""
	}
	return at, given
}

// isID reports whether a text identifies an event. Bytes that could not be decoded have
// become U+FFFD, which could stand for several ids.
func isID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}

// textArena stores the short texts of a page's events in one allocation.
type textArena struct{ strings.Builder }

// text decodes a raw JSON string; empty if it is not one.
func (k *textArena) text(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c == '\\' || c >= 0x80 {
			return jsonscan.Decode(raw)
		}
	}
	begin := k.Len()
	k.Write(raw[1 : len(raw)-1])
	return k.String()[begin:]
}

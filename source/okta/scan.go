package okta

import (
	"errors"
	"fmt"
)

// scanner walks over a JSON text without decoding it. It refuses exactly what
// encoding/json refuses; a fuzz test holds the two against each other. It
// exists for its speed: the bytes of a page are looked at once, and the members
// that matter are picked up on the way.
type scanner struct {
	data []byte
	pos  int
}

// maxDepth is how deep encoding/json lets values nest.
const maxDepth = 10000

var (
	errCut  = errors.New("JSON ends too early")
	errDeep = errors.New("JSON nests too deep")
)

// members are the raw values that a page's elements are known by; nil: absent.
type members struct{ uuid, published, eventType []byte }

func (s *scanner) fail(want string) error {
	if s.pos >= len(s.data) {
		return errCut
	}
	return fmt.Errorf("byte %d of the body is %q, not %s", s.pos, s.data[s.pos], want)
}

// peek skips white space and returns the byte after it; 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// value passes over the value at pos, within depth arrays and objects.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); c {
	case '"':
		_, err := s.str()
		return err
	case '{':
		return s.object(depth+1, nil)
	case '[':
		return s.array(depth+1, func() error { return s.value(depth + 1) })
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return s.number()
		}
		return s.fail("a value")
	}
}

// array passes over the array at pos, calling element at each of its elements.
func (s *scanner) array(depth int, element func() error) error {
	if depth > maxDepth {
		return errDeep
	}
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("a comma or the array's end")
		}
	}
}

// object passes over the object at pos. The values of its own members that
// matter go to found, unless that is nil; of a name that comes twice the last wins.
func (s *scanner) object(depth int, found *members) error {
	if depth > maxDepth {
		return errDeep
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if err := s.member(depth, found); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("a comma or the object's end")
		}
	}
}

func (s *scanner) member(depth int, found *members) error {
	if s.peek() != '"' {
		return s.fail("a member's name")
	}
	begin := s.pos
	escaped, err := s.str()
	if err != nil {
		return err
	}
	name := s.data[begin:s.pos]
	if s.peek() != ':' {
		return s.fail("a colon")
	}
	s.pos++
	s.peek()
	begin = s.pos
	if err := s.value(depth); err != nil {
		return err
	}
	if found != nil {
		found.set(name, escaped, s.data[begin:s.pos])
	}
	return nil
}

// set takes a member; its name is raw, with its quotes.
func (m *members) set(name []byte, escaped bool, value []byte) {
	if escaped {
		decoded, _ := decode(name)
		name = []byte(`"` + decoded + `"`)
	}
	switch string(name) {
	case `"uuid"`:
		m.uuid = value
	case `"published"`:
		m.published = value
	case `"eventType"`:
		m.eventType = value
	}
}

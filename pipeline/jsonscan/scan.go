// Package jsonscan reads JSON without decoding it: it walks over a text, and picks
// members of an object by their exact names. The bytes of what it finds are the
// text's own.
//
// It refuses exactly what encoding/json refuses; fuzz tests hold the two against
// each other. Names are compared with regard to case, and of a name that comes
// twice in one object the last one counts. This is how every event is read: the uuid
// that it is stored under, the members that a replay selects by, and the
// headers that a foreign client left out.
package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Scanner walks over a JSON text.
type Scanner struct {
	data  []byte
	pos   int
	depth int // arrays and objects around pos
}

// New returns a Scanner at the beginning of a text.
func New(data []byte) *Scanner { return &Scanner{data: data} }

// maxDepth is how deep encoding/json lets values nest.
const maxDepth = 10000

var (
	errCut  = errors.New("JSON ends too early")
	errDeep = errors.New("JSON nests too deep")
)

// Fail is the error of a text that should have something else at this place.
func (s *Scanner) Fail(want string) error {
	if s.pos >= len(s.data) {
		return errCut
	}
	return fmt.Errorf("byte %d of the body is %q, not %s", s.pos, s.data[s.pos], want)
}

// Peek skips white space and returns the byte after it; 0 at the end.
func (s *Scanner) Peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// Pos is how many bytes lie before the place.
func (s *Scanner) Pos() int { return s.pos }

// Ended reports whether nothing but white space follows.
func (s *Scanner) Ended() bool {
	s.Peek()
	return s.pos == len(s.data)
}

// Value passes over the value at the place.
func (s *Scanner) Value() error {
	switch c := s.Peek(); c {
	case '"':
		_, err := s.str()
		return err
	case '{':
		return s.Object(nil)
	case '[':
		return s.Array(s.Value)
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
		return s.Fail("a value")
	}
}

// enter passes over the bracket that begins an array or an object.
func (s *Scanner) enter() error {
	s.pos++
	if s.depth++; s.depth > maxDepth {
		return errDeep
	}
	return nil
}

// leave passes over the bracket that ends it.
func (s *Scanner) leave() {
	s.pos++
	s.depth--
}

// Array passes over the array at the place, which must be one. element is called
// at each of its elements and passes over it.
func (s *Scanner) Array(element func() error) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.Peek() == ']' {
		s.leave()
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch s.Peek() {
		case ',':
			s.pos++
		case ']':
			s.leave()
			return nil
		default:
			return s.Fail("a comma or the array's end")
		}
	}
}

// Object passes over the object at the place, which must be one. member, unless it
// is nil, is called with the name and the raw value of each of its own members.
func (s *Scanner) Object(member func(name, value []byte)) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.Peek() == '}' {
		s.leave()
		return nil
	}
	for {
		if err := s.member(member); err != nil {
			return err
		}
		switch s.Peek() {
		case ',':
			s.pos++
		case '}':
			s.leave()
			return nil
		default:
			return s.Fail("a comma or the object's end")
		}
	}
}

func (s *Scanner) member(member func(name, value []byte)) error {
	if s.Peek() != '"' {
		return s.Fail("a member's name")
	}
	begin := s.pos
	escaped, err := s.str()
	if err != nil {
		return err
	}
	name := s.data[begin+1 : s.pos-1]
	if escaped && member != nil {
		name = []byte(Decode(s.data[begin:s.pos]))
	}
	if s.Peek() != ':' {
		return s.Fail("a colon")
	}
	s.pos++
	s.Peek()
	begin = s.pos
	if err := s.Value(); err != nil {
		return err
	}
	if member != nil {
		member(name, s.data[begin:s.pos:s.pos])
	}
	return nil
}

// Decode decodes a raw JSON string; empty when it is none.
func Decode(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c == '\\' || c >= 0x80 {
			var text string
			_ = json.Unmarshal(raw, &text)
			return text
		}
	}
	return string(raw[1 : len(raw)-1])
}

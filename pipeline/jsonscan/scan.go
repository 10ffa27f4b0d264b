// Package jsonscan reads JSON without decoding it: it scans a text and finds members of an
// object by their exact names. The bytes that it returns are the text's own.
//
// It refuses exactly what encoding/json refuses; fuzz tests compare the two. Names are
// case-sensitive, and of a name that occurs twice in one object the last one counts.
// Every event is read this way: the uuid that identifies it, the members that a replay
// selects by, and the headers that a foreign client left out.
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
	depth int // arrays and objects open at pos
}

// New returns a Scanner at the beginning of a text.
func New(data []byte) *Scanner { return &Scanner{data: data} }

// maxDepth is the nesting depth that encoding/json allows.
const maxDepth = 10000

var errCut = errors.New("JSON ends too early")

// ErrDeep is the error of a text that nests deeper than encoding/json allows.
var ErrDeep = errors.New("JSON nests too deep")

// Fail returns the error of a text that lacks something at this place.
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

// Pos returns the offset of the current place.
func (s *Scanner) Pos() int { return s.pos }

// Ended reports whether nothing but white space follows.
func (s *Scanner) Ended() bool {
	s.Peek()
	return s.pos == len(s.data)
}

// Value skips the value at the current place.
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

// Skip skips the value at the current place, however deep it nests. It takes one bit of
// memory for each level, and no stack.
func (s *Scanner) Skip() error {
	var open nesting
	for {
		begun, err := s.begin(&open)
		for !begun && err == nil {
			if open.levels == 0 {
				return nil
			}
			begun, err = s.goOn(&open)
		}
		if err != nil {
			return err
		}
	}
}

// begin skips a scalar or an empty array or object, or else what is before the first value
// in one.
func (s *Scanner) begin(open *nesting) (inside bool, err error) {
	c := s.Peek()
	if c != '{' && c != '[' {
		return false, s.Value()
	}
	s.pos++
	if end := s.Peek(); c == '{' && end == '}' || c == '[' && end == ']' {
		s.pos++
		return false, nil
	}
	if open.push(c == '{'); c == '{' {
		_, err = s.name()
	}
	return true, err
}

// goOn skips what is behind a value: the end of what it is in, or what is before the next.
func (s *Scanner) goOn(open *nesting) (next bool, err error) {
	object := open.object()
	switch c := s.Peek(); {
	case c == ',' && object:
		s.pos++
		_, err = s.name()
		return true, err
	case c == ',':
		s.pos++
		return true, nil
	case c == '}' && object, c == ']' && !object:
		s.pos++
		open.levels--
		return false, nil
	}
	return false, s.Fail("a comma or an end")
}

// nesting is what is open at a place: a bit for each level, set for an object.
type nesting struct {
	bits   []uint64
	levels int
}

func (n *nesting) push(object bool) {
	if n.levels/64 == len(n.bits) {
		n.bits = append(n.bits, 0)
	}
	word, bit := &n.bits[n.levels/64], uint64(1)<<(n.levels%64)
	if *word &^= bit; object {
		*word |= bit
	}
	n.levels++
}

func (n *nesting) object() bool { return n.bits[(n.levels-1)/64]>>((n.levels-1)%64)&1 == 1 }

// enter skips the bracket that begins an array or an object.
func (s *Scanner) enter() error {
	s.pos++
	if s.depth++; s.depth > maxDepth {
		return ErrDeep
	}
	return nil
}

func (s *Scanner) leave() {
	s.pos++
	s.depth--
}

// Array skips the array at the current place, calling element to skip each element.
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

// Object skips the object at the current place, calling member, unless nil, with the name
// and raw value of each of its members.
func (s *Scanner) Object(member func(name, value []byte)) error {
	return s.Members(func(name []byte) error {
		begin := s.pos
		if err := s.Value(); err != nil {
			return err
		}
		if member != nil {
			member(name, s.data[begin:s.pos:s.pos])
		}
		return nil
	})
}

// Members skips the object at the current place, calling value with the name of each of
// its members to skip the member's value.
func (s *Scanner) Members(value func(name []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.Peek() == '}' {
		s.leave()
		return nil
	}
	for {
		name, err := s.name()
		if err != nil {
			return err
		}
		if err := value(name); err != nil {
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

// name skips a member's name and what is before its value.
func (s *Scanner) name() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, s.Fail("a member's name")
	}
	begin := s.pos
	escaped, err := s.str()
	if err != nil {
		return nil, err
	}
	name := s.data[begin+1 : s.pos-1]
	if escaped {
		name = []byte(Decode(s.data[begin:s.pos]))
	}
	if s.Peek() != ':' {
		return nil, s.Fail("a colon")
	}
	s.pos++
	s.Peek()
	return name, nil
}

// Decode decodes a raw JSON string; empty if it is not one.
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

package jsonscan

import "bytes"

// plain is the set of bytes that may stand unescaped in a string.
var plain = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return table
}()

// str skips the string at pos and reports whether it has escapes.
func (s *Scanner) str() (escaped bool, err error) {
	s.pos++
	for {
		for s.pos < len(s.data) && plain[s.data[s.pos]] {
			s.pos++
		}
		if s.pos == len(s.data) {
			return escaped, errCut
		}
		switch s.data[s.pos] {
		case '"':
			s.pos++
			return escaped, nil
		case '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return escaped, err
			}
		default:
			return escaped, s.Fail("allowed in a string")
		}
	}
}

func (s *Scanner) escape() error {
	s.pos++
	if s.pos == len(s.data) {
		return errCut
	}
	switch s.data[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return nil
	case 'u':
		s.pos++
	default:
		return s.Fail("an escape")
	}
	for range 4 {
		if s.pos == len(s.data) || !bytes.Contains([]byte("0123456789abcdefABCDEF"), s.data[s.pos:s.pos+1]) {
			return s.Fail("a hex digit")
		}
		s.pos++
	}
	return nil
}

func (s *Scanner) literal(word string) error {
	for i := range len(word) {
		if s.pos == len(s.data) || s.data[s.pos] != word[i] {
			return s.Fail(word)
		}
		s.pos++
	}
	return nil
}

func (s *Scanner) number() error {
	s.accept("-")
	if !s.accept("0") && !s.digits() {
		return s.Fail("a digit")
	}
	if s.accept(".") && !s.digits() {
		return s.Fail("a digit")
	}
	if s.accept("eE") {
		s.accept("+-")
		if !s.digits() {
			return s.Fail("a digit")
		}
	}
	return nil
}

func (s *Scanner) digits() bool {
	begin := s.pos
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > begin
}

func (s *Scanner) accept(set string) bool {
	if s.pos == len(s.data) || bytes.IndexByte([]byte(set), s.data[s.pos]) < 0 {
		return false
	}
	s.pos++
	return true
}

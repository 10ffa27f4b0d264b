package jsonscan

// Member returns the raw value at a path of names, such as "actor", "id"; nil when
// there is none, or when the text is no JSON. Nothing but the objects on the path
// has to be of any type.
func Member(data []byte, path ...string) []byte {
	for _, name := range path {
		if data = own(data, name); data == nil {
			return nil
		}
	}
	return data
}

// Text is the text at a path; empty when there is none, or something else stands
// there.
func Text(data []byte, path ...string) string { return Decode(Member(data, path...)) }

// own returns the value of an object's own member.
func own(data []byte, name string) (found []byte) {
	s := Scanner{data: data}
	if s.Peek() != '{' {
		return nil
	}
	err := s.Object(func(is, value []byte) {
		if string(is) == name {
			found = value
		}
	})
	if err != nil || !s.Ended() {
		return nil
	}
	return found
}

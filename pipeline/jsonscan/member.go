package jsonscan

// Member returns the raw value at a path of names, such as "actor", "id"; nil if there is
// none, or if the text is not JSON. Only the objects on the path need to be objects.
func Member(data []byte, path ...string) []byte {
	for _, name := range path {
		if data = own(data, name); data == nil {
			return nil
		}
	}
	return data
}

// Text returns the string at a path; empty if there is none, or another value.
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

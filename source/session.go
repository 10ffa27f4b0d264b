package source

import "sync"

// Session holds what all clients of one credential at one org share in a process, such as
// an access token. The zero value is ready; it is safe for concurrent use.
type Session struct {
	mu   sync.Mutex
	held any
}

// Hold returns what a Session holds, and has it made first if that is nothing yet. A nil
// Session holds nothing.
func Hold[T any](s *Session, make func() T) T {
	if s == nil {
		return make()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.held.(T)
	if !ok {
		held = make()
		s.held = held
	}
	return held
}

package run

import "sync"

// readiness is why the service can't do its work now. It is safe for concurrent
// use; its zero value is ready.
type readiness struct {
	mu     sync.Mutex
	reason string // of the moment; empty: none
	ending bool
	checks func() string // asked each time, once everything stands; nil: none
	notes  func() []string
}

// Waiting says what the service waits for; "" for nothing.
func (r *readiness) Waiting(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ending {
		r.reason = reason
	}
}

// Ending says that the service ends, from now on.
func (r *readiness) Ending() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reason, r.ending = "the service is ending", true
}

// Check sets what is asked each time: why the service is not ready, and what an
// operator should know of one that is.
func (r *readiness) Check(check func() string, notes func() []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks, r.notes = check, notes
}

// Notes is what an operator should know of a service that is ready.
func (r *readiness) Notes() []string {
	r.mu.Lock()
	notes := r.notes
	r.mu.Unlock()
	if notes == nil {
		return nil
	}
	return notes()
}

// Reasons are those of the moment.
func (r *readiness) Reasons() []string {
	r.mu.Lock()
	reason, checks := r.reason, r.checks
	r.mu.Unlock()
	if reason == "" && checks != nil {
		reason = checks()
	}
	if reason == "" {
		return nil
	}
	return []string{reason}
}

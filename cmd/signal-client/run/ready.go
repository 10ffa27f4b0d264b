package run

import "sync"

// readiness is why the service can't work now; zero: it can. It is safe for concurrent use.
type readiness struct {
	mu     sync.Mutex
	reason string // current; empty: none
	ending bool
	checks func() string // called each time, once everything is set up; nil: none
	notes  func() []string
}

// Waiting sets what the service waits for; empty: nothing.
func (r *readiness) Waiting(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ending {
		r.reason = reason
	}
}

// Ending marks the service as ending.
func (r *readiness) Ending() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reason, r.ending = "the service is ending", true
}

// Check sets what is called each time: why the service is not ready, and notes if it is.
func (r *readiness) Check(check func() string, notes func() []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks, r.notes = check, notes
}

// Notes returns notes for the operator of a ready service.
func (r *readiness) Notes() []string {
	r.mu.Lock()
	notes := r.notes
	r.mu.Unlock()
	if notes == nil {
		return nil
	}
	return notes()
}

// Reasons returns the current reasons.
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

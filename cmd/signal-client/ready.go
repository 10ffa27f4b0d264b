package main

import "sync"

// readiness is why the service can't do its work now. It is safe for concurrent
// use; its zero value is ready.
type readiness struct {
	mu     sync.Mutex
	reason string // of the moment; empty: none
	ending bool
	checks func() string // asked each time, once everything stands; nil: none
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

// Check sets what is asked each time.
func (r *readiness) Check(check func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks = check
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

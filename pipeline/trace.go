package pipeline

import "time"

// Trace is a set of hooks on what happens to an instance, for metrics, status
// and tests. Any hook may be nil. They are called from the instance's own
// goroutine, must not block, and must be safe to call from those of other
// instances at once.
type Trace struct {
	Polled    func(instance string, page Page, took time.Duration)            // a page was answered
	Failed    func(instance string, err error)                                // a poll, a commit or a sync failed
	Committed func(instance string, page Page, r Receipt, took time.Duration) // a page is stored
	Moved     func(instance string, state State, at Position, next time.Time) // state, position or next poll changed

	Inserted func(instance string, past Past, r Receipt) // events of the past are stored
	Audited  func(instance string, r AuditReport)        // a standing audit came to its end

	Requested func(instance, code string, took time.Duration) // a request ended: "200" … or "error"; every attempt counts
	Budget    func(instance string, limit RateLimit)          // an answer showed the org's budget
	Waits     func(instance string, until time.Time)          // a poll waits for the org's budget, for seconds at least
	Breaker   func(instance, state string, refused bool)      // closed, open or half-open; refused: a 401 or 403 opened it

	DeadLetter func(instance string, flaw Flaw)
	// DeadLetterLost tells of an element that could not even be kept as a dead letter,
	// once the events of its page are stored.
	DeadLetterLost func(instance string, flaw Flaw)

	Fenced     func(instance string)                                    // another writer was ahead
	Lost       func(instance string)                                    // acked data is gone from the stream
	PassedOver func(instance string, gap Gap)                           // events may have been dropped by the org before they were read
	Wrote      func(instance string, result string, took time.Duration) // one commit: ok, fenced, doubt or too_large
	Untimed    func(instance string, untimed bool)                      // the org's answers have no Date, or have one again
	Drift      func(field string)                                       // an event's member is not what is documented
}

// Complete returns the hooks with one that does nothing for each that is nil.
// A nil Trace has none.
func (t *Trace) Complete() Trace {
	var c Trace
	if t != nil {
		c = *t
	}
	if c.Polled == nil {
		c.Polled = func(string, Page, time.Duration) {}
	}
	if c.Failed == nil {
		c.Failed = func(string, error) {}
	}
	if c.Committed == nil {
		c.Committed = func(string, Page, Receipt, time.Duration) {}
	}
	if c.Moved == nil {
		c.Moved = func(string, State, Position, time.Time) {}
	}
	if c.Inserted == nil {
		c.Inserted = func(string, Past, Receipt) {}
	}
	if c.Audited == nil {
		c.Audited = func(string, AuditReport) {}
	}
	if c.Requested == nil {
		c.Requested = func(string, string, time.Duration) {}
	}
	if c.Budget == nil {
		c.Budget = func(string, RateLimit) {}
	}
	if c.Waits == nil {
		c.Waits = func(string, time.Time) {}
	}
	if c.Breaker == nil {
		c.Breaker = func(string, string, bool) {}
	}
	if c.DeadLetter == nil {
		c.DeadLetter = func(string, Flaw) {}
	}
	if c.DeadLetterLost == nil {
		c.DeadLetterLost = func(string, Flaw) {}
	}
	if c.Fenced == nil {
		c.Fenced = func(string) {}
	}
	if c.Lost == nil {
		c.Lost = func(string) {}
	}
	if c.PassedOver == nil {
		c.PassedOver = func(string, Gap) {}
	}
	if c.Wrote == nil {
		c.Wrote = func(string, string, time.Duration) {}
	}
	if c.Untimed == nil {
		c.Untimed = func(string, bool) {}
	}
	if c.Drift == nil {
		c.Drift = func(string) {}
	}
	return c
}

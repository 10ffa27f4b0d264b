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

	Requested func(instance, code string, took time.Duration) // a request ended: "200" … or "error"; every attempt counts
	Budget    func(instance string, limit RateLimit)          // an answer showed the org's budget
	Breaker   func(instance, state string, refused bool)      // closed, open or half-open; refused: a 401 or 403 opened it

	DeadLetter func(instance string, flaw Flaw)
	Fenced     func(instance string)                                    // another writer was ahead
	Lost       func(instance string)                                    // acked data is gone from the stream
	Wrote      func(instance string, result string, took time.Duration) // one commit: ok, fenced, doubt or too_large
	Drift      func(field string)                                       // an event's member is not what is documented
}

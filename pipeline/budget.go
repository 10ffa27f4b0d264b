package pipeline

import "time"

// Budget is what one process knows of an org's rate limit, as it stands in BUDGETS for
// others that ask the same org. It saves requests; correctness never depends on it.
type Budget struct {
	Version int    `json:"version"`
	Origin  string `json:"origin"`
	Replica string `json:"replica"` // the replica that wrote it

	// The org's current rate-limit window; all zero: not known.
	Limit      int       `json:"limit"`     // requests per window
	Remaining  int       `json:"remaining"` // requests left, for all clients of the org
	Reset      int64     `json:"reset"`     // end of the window as the org states it, in Unix seconds; 0: not stated
	WindowEnds time.Time `json:"window_ends,omitzero"`

	HoldUntil   time.Time `json:"hold_until,omitzero"`    // no request before this time, because the org said so
	LateSeconds float64   `json:"late_seconds,omitempty"` // how late the org's windows have been observed to end
	Limited     bool      `json:"limited,omitempty"`      // the org has answered 429

	Askers map[string]time.Time `json:"askers,omitempty"` // last request of each replica that asks the org

	At time.Time `json:"at"` // when it was written; the other times are by the same clock
}

package pipeline

import "time"

// Budget is what one process knows of an org's rate limit, as the bucket BUDGETS
// holds it for the others that ask the org. It saves requests: nothing depends
// on it.
type Budget struct {
	Version int    `json:"version"`
	Origin  string `json:"origin"`
	Replica string `json:"replica"` // that wrote it

	// The org's window, as far as it is known; all are zero when none is.
	Limit      int       `json:"limit"`     // requests a window
	Remaining  int       `json:"remaining"` // of them, for all clients of the org
	Reset      int64     `json:"reset"`     // what the org calls the window's end, in Unix seconds; 0: it does not
	WindowEnds time.Time `json:"window_ends,omitzero"`

	HoldUntil   time.Time `json:"hold_until,omitzero"`    // nothing goes before, since the org said so
	LateSeconds float64   `json:"late_seconds,omitempty"` // how late its windows were seen to end
	Limited     bool      `json:"limited,omitempty"`      // it has answered 429

	Askers map[string]time.Time `json:"askers,omitempty"` // when each replica that asks the org last did

	At time.Time `json:"at"` // when it was written, by the clock that the other times are of
}

package pipeline

import (
	"sync"
	"time"
)

// Clock estimates an org's clock from the Date headers of its answers. It accepts a Date
// that agrees with the previous one plus the time elapsed since. A single Date that does
// not, such as one a day ahead, changes nothing; several in a row that agree with each
// other are accepted in the end, because the org's clock may have been corrected.
//
// Elapsed time is measured by this machine's monotonic clock, which nobody adjusts, or by
// its wall clock, because the monotonic one stops while the machine sleeps.
//
// The zero value has accepted no Date yet. A Clock is safe for concurrent use; a nil
// Clock is this machine's clock.
type Clock struct {
	Local func() time.Time // this machine's wall clock; nil: time.Now

	mu     sync.Mutex
	belief reading // the newest accepted Date; zero: none
	rumour reading // the newest Date that was not accepted
	agreed int     // how many unaccepted Dates in a row agree with each other
}

// reading is a Date and when it was received.
type reading struct {
	date  time.Time // the Date
	mono  time.Time // this machine's monotonic clock
	local time.Time // this machine's wall clock
}

const (
	// clockError is how far a Date may be off: it is cut to seconds, and answers take time.
	clockError = time.Minute
	// clockWitnesses is how many answers in a row must agree before a Date is accepted
	// that contradicts the previous one, or this machine's clock if there is no previous
	// one. So the watermark starts some polls late where this machine's clock is off.
	clockWitnesses = 5
)

// Now returns the org's time as far as it is known; before any answer, this machine's.
func (c *Clock) Now() time.Time {
	if c == nil {
		return time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.belief.date.IsZero() {
		return c.wall()
	}
	return c.belief.later(time.Now())
}

// Observe records an answer's Date and reports whether it is accepted.
func (c *Clock) Observe(date time.Time) bool {
	_, believed := c.observe(date)
	return believed
}

func (c *Clock) observe(date time.Time) (r reading, believed bool) {
	if c == nil || date.IsZero() {
		return reading{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r = reading{date: date, mono: time.Now(), local: c.wall().Round(0)}
	switch {
	case c.believes(r):
	case !c.rumour.date.IsZero() && c.rumour.agrees(r):
		c.rumour = r
		c.agreed++
	default:
		c.rumour, c.agreed = r, 1
	}
	if !c.believes(r) && c.agreed < clockWitnesses {
		return r, false
	}
	c.belief, c.rumour, c.agreed = r, reading{}, 0
	return r, true
}

// known reports whether any Date has been accepted.
func (c *Clock) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.belief.date.IsZero()
}

// confirms reports whether an earlier reading agrees with the accepted one.
func (c *Clock) confirms(r reading) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !r.date.IsZero() && !c.belief.date.IsZero() && r.agrees(c.belief)
}

// believes reports whether a reading agrees with the accepted one, or, before there is
// one, with this machine's clock.
func (c *Clock) believes(r reading) bool {
	if c.belief.date.IsZero() {
		return near(r.date, r.local)
	}
	return c.belief.agrees(r)
}

func (c *Clock) wall() time.Time {
	if c.Local != nil {
		return c.Local()
	}
	return time.Now()
}

// later returns what the org's clock says at a later time of this machine's monotonic clock.
func (r reading) later(now time.Time) time.Time { return r.date.Add(now.Sub(r.mono)) }

// agrees reports whether a later reading is what this one predicts.
func (r reading) agrees(next reading) bool {
	return near(next.date, r.later(next.mono)) || near(next.date, r.date.Add(next.local.Sub(r.local)))
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= clockError }

package pipeline

import (
	"sync"
	"time"
)

// Clock is what is believed of an org's clock, by the Date of its answers. A Date is
// believed that is where the one before, and the time since, say it should be; one
// that is not, a day ahead in one answer, say, moves nothing. Several in a row that
// agree with each other are believed in the end: a clock may have been set right.
//
// The time since is told by this machine's monotonic clock, which nobody sets; or by
// its wall clock, since the other one stands still while the machine sleeps.
//
// Its zero value believes nothing yet. It is safe for concurrent use, and a nil Clock
// is this machine's.
type Clock struct {
	Local func() time.Time // this machine's wall clock; nil: time.Now

	mu     sync.Mutex
	belief reading // the newest Date that was believed; zero: none was
	rumour reading // the newest one that was not
	agreed int     // so many that were not believed agree with each other
}

// reading is a clock that was read.
type reading struct {
	date  time.Time // what it said
	mono  time.Time // when, by this machine's monotonic clock
	local time.Time // and by its wall clock
}

const (
	// clockError is how far a Date may be off: it is cut to seconds, and an answer may
	// take a while.
	clockError = time.Minute
	// clockWitnesses is how many answers in a row must agree before another time is
	// believed than the one before says, or this machine's clock if there is none before.
	// firstWitnesses are enough where that is off by no more than localError.
	clockWitnesses = 5
	firstWitnesses = 2
	localError     = time.Hour
)

// Now is the org's time as far as it is known; before any answer this machine's.
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

// Observe takes note of an answer's Date, and reports whether it is believed.
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
	needed := clockWitnesses
	if c.belief.date.IsZero() && r.date.Sub(r.local).Abs() <= localError {
		needed = firstWitnesses
	}
	if !c.believes(r) && c.agreed < needed {
		return r, false
	}
	c.belief, c.rumour, c.agreed = r, reading{}, 0
	return r, true
}

// known reports whether any Date was believed.
func (c *Clock) known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.belief.date.IsZero()
}

// confirms reports whether an earlier reading agrees with what is believed now.
func (c *Clock) confirms(r reading) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !r.date.IsZero() && !c.belief.date.IsZero() && r.agrees(c.belief)
}

// believes reports whether a reading is as it should be: by the one before, or, if
// there is none, by this machine's clock.
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

// later is what the clock says at a later moment of this machine's monotonic clock.
func (r reading) later(now time.Time) time.Time { return r.date.Add(now.Sub(r.mono)) }

// agrees reports whether a later reading is what the clock should say by then.
func (r reading) agrees(next reading) bool {
	return near(next.date, r.later(next.mono)) || near(next.date, r.date.Add(next.local.Sub(r.local)))
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= clockError }

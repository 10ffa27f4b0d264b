package pipeline

import (
	"testing"
	"testing/synctest"
	"time"
)

// What an org's clock is believed to say, answer by answer.
func TestClock(t *testing.T) {
	const day = 24 * time.Hour
	type step struct {
		wait  time.Duration // before the answer
		local time.Duration // that this machine's clock is set by meanwhile
		off   time.Duration // how far the answer's Date is off from the true time
		none  bool          // it has no Date
		now   time.Duration // how far Now is off after it
	}
	for name, steps := range map[string][]step{
		"right":                        {{}, {wait: time.Minute}, {wait: 5 * time.Minute, off: -30 * time.Second, now: -30 * time.Second}},
		"one answer a day ahead":       {{}, {wait: time.Minute, off: day}, {wait: time.Minute}},
		"the first answer a day ahead": {{off: day}, {wait: time.Minute}},
		"the first answers are all off from this machine": {{off: 10 * time.Minute}, {wait: time.Minute, off: 10 * time.Minute, now: 10 * time.Minute}},
		"set right": {{}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day},
			{wait: time.Minute, off: day}, {wait: time.Minute, off: day, now: day}},
		"ahead now and then": {{}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day},
			{wait: time.Minute, off: day}, {wait: time.Minute}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day}},
		"without a Date":             {{none: true}, {wait: time.Minute}, {wait: time.Hour, none: true}, {wait: time.Hour}},
		"this machine set back":      {{}, {local: -10 * day, wait: time.Minute}, {wait: time.Hour}},
		"this machine far ahead":     {{local: 91 * day, now: 91 * day}, {wait: time.Minute}},
		"this machine was far ahead": {{local: 91 * day, now: 91 * day}, {wait: time.Minute}, {local: -91 * day, wait: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				local := time.Duration(0)
				c := &Clock{Local: func() time.Time { return time.Now().Add(local) }}
				for i, s := range steps {
					local += s.local
					time.Sleep(s.wait)
					date := time.Now().Round(0).Add(s.off)
					if s.none {
						date = time.Time{}
					}
					c.Observe(date)
					if off := c.Now().Sub(time.Now()); off != s.now {
						t.Errorf("answer %d: the clock is off by %v, want %v", i, off, s.now)
					}
				}
			})
		})
	}
}

// A machine that slept: its monotonic clock stood still, its wall clock did not.
func TestClockOfAMachineThatSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := time.Duration(0)
		c := &Clock{Local: func() time.Time { return time.Now().Add(slept) }}
		c.Observe(time.Now().Round(0))
		slept = 8 * time.Hour
		if !c.Observe(time.Now().Round(0).Add(slept)) {
			t.Error("the org's clock is not believed after a sleep")
		}
	})
}

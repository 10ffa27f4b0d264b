package pipeline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// What an org's clock shows, answer by answer.
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
		"the first answers are all off from this machine": {{off: 10 * time.Minute}, {wait: time.Minute, off: 10 * time.Minute},
			{wait: time.Minute, off: 10 * time.Minute}, {wait: time.Minute, off: 10 * time.Minute}, {wait: time.Minute, off: 10 * time.Minute, now: 10 * time.Minute}},
		"the first four an hour ahead": {{off: 50 * time.Minute}, {wait: time.Minute, off: 50 * time.Minute}, {wait: time.Minute, off: 50 * time.Minute},
			{wait: time.Minute, off: 50 * time.Minute}, {wait: time.Minute}},
		"set right": {{}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day},
			{wait: time.Minute, off: day}, {wait: time.Minute, off: day, now: day}},
		"ahead now and then": {{}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day},
			{wait: time.Minute, off: day}, {wait: time.Minute}, {wait: time.Minute, off: day}, {wait: time.Minute, off: day}},
		"without a Date":             {{none: true}, {wait: time.Minute}, {wait: time.Hour, none: true}, {wait: time.Hour}},
		"this machine set back":      {{}, {local: -10 * day, wait: time.Minute}, {wait: time.Hour}},
		"this machine far ahead":     {{local: 91 * day, now: 91 * day}, {now: 91 * day}, {now: 91 * day}, {now: 91 * day}, {wait: time.Minute}},
		"this machine was far ahead": {{local: 91 * day, now: 91 * day}, {local: -91 * day, wait: time.Minute}},
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

// A machine sleeps: its monotonic clock stands still, its wall clock does not.
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

// One answer whose Date is a day ahead moves no watermark, and one without a Date stops
// the watermark no longer than until the next answer.
func TestRunnerWrongDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{}
		org.add(3)
		org.date = func(n int) time.Time {
			switch n {
			case 3, 7, 8:
				return time.Now().Add(24 * time.Hour)
			case 5:
				return time.Time{}
			}
			return time.Now()
		}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Trace: &Trace{
			Committed: func(_ string, _ Page, r Receipt, _ time.Duration) {
				if lag := time.Since(r.Position.CompleteThrough); lag < 0 || lag > 4*time.Minute && len(org.polls) > 1 {
					t.Errorf("after request %d the watermark is %v old", len(org.polls), lag)
				}
			},
		}})
		later(20 * time.Minute)
	})
}

// This machine's clock is set back by ten days while the org is asked: the next poll comes
// within the interval all the same.
func TestRunnerClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := time.Duration(0)
		org, sink := &memoryOrg{limit: 5}, &memorySink{}
		org.between = func(context.Context) {
			if off -= 10 * 24 * time.Hour; len(org.polls)%3 == 0 {
				off = 0
			}
		}
		clock := &Clock{Local: func() time.Time { return time.Now().Add(off) }}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Clock: clock})
		later(20 * time.Minute)
		for i := range len(org.times) - 1 {
			if rest := org.times[i+1].Sub(org.times[i]); rest > time.Minute {
				t.Errorf("asked %v after the time before", rest)
			}
		}
	})
}

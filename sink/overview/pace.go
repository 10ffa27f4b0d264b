package overview

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// LastEvent returns when the newest event was published: a time, or the org's own text.
func LastEvent(s pipeline.Status) any {
	if at := published(s); !at.IsZero() || s.LastEvent == nil {
		return at
	}
	return s.LastEvent.Published
}

// Pace is an org's rate, from two statuses that its holder wrote.
type Pace struct {
	PerMinute  *float64 `json:"events_per_minute,omitempty"` // events stored; nil: not known yet
	CatchUpSec *float64 `json:"catch_up_seconds,omitempty"`  // time to catch up at this rate; nil: it is not behind, or not known

	from pipeline.Status // the status to compare the next one with
}

// leastPace is the least time between two statuses for a rate.
const leastPace = time.Second

// Next returns the pace after a newer status.
func (p Pace) Next(s pipeline.Status, now time.Time) Pace {
	before := p.from
	switch took := s.UpdatedAt.Sub(before.UpdatedAt); {
	case before.UpdatedAt.IsZero(), s.Holder != before.Holder, s.Holder == "", s.Events < before.Events:
		return Pace{from: s}
	case took < leastPace:
		return p
	default:
		rate := float64(s.Events-before.Events) / took.Minutes()
		return Pace{PerMinute: &rate, CatchUpSec: catchUp(before, s, took, now), from: s}
	}
}

// catchUp estimates how long the rest of the log takes, given how long the last part
// took. The log grows meanwhile.
func catchUp(before, s pipeline.Status, took time.Duration, now time.Time) *float64 {
	from, to := published(before), published(s)
	if s.State != pipeline.StateCatchingUp && s.State != pipeline.StateThrottled || from.IsZero() || to.IsZero() {
		return nil
	}
	speed := to.Sub(from).Seconds() / took.Seconds()
	if speed <= 1 {
		return nil
	}
	seconds := max(0, now.Sub(to).Seconds()) / (speed - 1)
	return &seconds
}

func published(s pipeline.Status) time.Time {
	if s.LastEvent == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, s.LastEvent.Published)
	if err != nil {
		return time.Time{}
	}
	return at
}

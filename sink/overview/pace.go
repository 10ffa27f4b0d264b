package overview

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// LastEvent is when the newest event was published: a time, or as the org gave
// it.
func LastEvent(s pipeline.Status) any {
	if at := published(s); !at.IsZero() || s.LastEvent == nil {
		return at
	}
	return s.LastEvent.Published
}

// Pace is how fast an org goes on, out of two statuses that its holder wrote.
type Pace struct {
	PerMinute  *float64 `json:"events_per_minute,omitempty"` // stored; nil: not known yet
	CatchUpSec *float64 `json:"catch_up_seconds,omitempty"`  // until it has caught up, if it goes on like this; nil: it is not behind, or that can't be said

	from pipeline.Status // the status that the next one is compared with
}

// leastPace is how far apart two statuses must be to tell a rate.
const leastPace = time.Second

// Next is the pace after a newer status.
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

// catchUp is how long the rest of the log takes, when so much of it took so long.
// The log grows meanwhile.
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

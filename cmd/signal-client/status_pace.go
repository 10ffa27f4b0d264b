package main

import (
	"fmt"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// pace is how fast an org goes on, out of two statuses that its holder wrote.
type pace struct {
	PerMinute  *float64 `json:"events_per_minute,omitempty"` // stored; nil: not known yet
	CatchUpSec *float64 `json:"catch_up_seconds,omitempty"`  // until it has caught up, if it goes on like this; nil: it is not behind, or that can't be said

	from pipeline.Status // the status that the next one is compared with
}

// leastPace is how far apart two statuses must be to tell a rate.
const leastPace = time.Second

// next is the pace after a newer status.
func (p pace) next(s pipeline.Status, now time.Time) pace {
	before := p.from
	switch took := s.UpdatedAt.Sub(before.UpdatedAt); {
	case before.UpdatedAt.IsZero(), s.Holder != before.Holder, s.Holder == "", s.Events < before.Events:
		return pace{from: s}
	case took < leastPace:
		return p
	default:
		rate := float64(s.Events-before.Events) / took.Minutes()
		return pace{PerMinute: &rate, CatchUpSec: catchUp(before, s, took, now), from: s}
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

// paceCells are the columns of a table.
func paceCells(p pace, people bool) []any {
	rate, rest := "", ""
	if people {
		rate, rest = "-", "-"
	}
	if p.PerMinute != nil {
		rate = fmt.Sprintf("%.0f", *p.PerMinute)
	}
	switch {
	case p.CatchUpSec != nil && people:
		rest = term.Span(time.Duration(*p.CatchUpSec * float64(time.Second)))
	case p.CatchUpSec != nil:
		rest = fmt.Sprintf("%.0f", *p.CatchUpSec)
	}
	return []any{rate, rest}
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", part*100) }

package view

import (
	"context"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Strip is an integration's last 24 hours.
type Strip struct {
	Ticks []Tick `json:"ticks"` // oldest first
}

// Tick is the worst state of a quarter of an hour.
type Tick struct {
	At    time.Time      `json:"at"` // its beginning
	State pipeline.State `json:"state"`
	Said  string         `json:"said"` // the error that was shown then; empty: none
}

// Class returns the colour of the tick's state.
func (t Tick) Class() Class { return ClassOf(t.State) }

// History returns an integration's last 24 hours, from the first recorded tick on. A
// quarter of an hour in which no process reported the integration is StateUnowned.
func (v *View) History(ctx context.Context, instance string) (Strip, error) {
	recorded, err := buckets.NewStrips(v.config.Store, v.log).Read(ctx, instance)
	if err != nil {
		return Strip{}, err
	}
	return stripOf(recorded, time.Now()), nil
}

// stripOf fills the gaps between recorded ticks.
func stripOf(recorded buckets.Strip, now time.Time) Strip {
	strip := Strip{Ticks: []Tick{}} // [] rather than null
	first := now.UTC().Truncate(buckets.TickLength).Add(buckets.TickLength - buckets.StripLength)
	for _, t := range recorded.Ticks {
		if t.At.Before(first) || t.At.After(now) { // the latter by a clock that was wrong
			continue
		}
		strip.fill(t.At)
		strip.Ticks = append(strip.Ticks, Tick{At: t.At, State: t.State, Said: t.Said})
	}
	strip.fill(now.UTC().Truncate(buckets.TickLength)) // that one may not be written yet
	return strip
}

// fill adds the missing ticks before a time.
func (s *Strip) fill(before time.Time) {
	for n := len(s.Ticks); n > 0; n++ {
		at := s.Ticks[n-1].At.Add(buckets.TickLength)
		if !at.Before(before) {
			return
		}
		s.Ticks = append(s.Ticks, Tick{At: at, State: pipeline.StateUnowned, Said: "no process polled it"})
	}
}

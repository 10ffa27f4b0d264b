package view

import (
	"context"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Strip is an integration's last 24 hours.
type Strip struct {
	Ticks []Tick `json:"ticks"` // oldest first
}

// Tick is the worst state of a quarter of an hour.
type Tick struct {
	At    time.Time      `json:"at"` // its beginning
	State pipeline.State `json:"state"`
	Said  string         `json:"said"` // what was said then; empty: nothing
}

// Class returns the colour of the tick's state.
func (t Tick) Class() Class { return ClassOf(t.State) }

// History reads the last 24 hours of an integration.
type History interface {
	Read(ctx context.Context, instance string) (Strip, error)
}

// History returns an integration's last 24 hours.
func (v *View) History(ctx context.Context, instance string) (Strip, error) {
	if v.config.History == nil {
		return Strip{Ticks: []Tick{}}, nil
	}
	return v.config.History.Read(ctx, instance)
}

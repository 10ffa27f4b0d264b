package view

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/overview"
	"github.com/witfoo/signal-client/sink/search"
)

// Config is what a View shows.
type Config struct {
	Store    *jets.Store
	Progress func() search.Progress // of the search index; nil: there is none
	Log      *slog.Logger           // nil: none
}

// View is the live picture of all integrations, and their edits. It is safe for concurrent
// use.
type View struct {
	config   Config
	log      *slog.Logger
	orgs     *buckets.Integrations
	watcher  *overview.Watcher
	activity *activity
	letters  *letters
	epoch    string // tells this View's changes from those of others

	mu      sync.Mutex
	fleet   *Fleet
	paces   map[string]overview.Pace
	told    map[string]telling   // by instance
	born    map[string]time.Time // when an instance without a status was first seen
	removed map[string]uint64    // Fleet.id of the removal, by instance
	floor   uint64               // Fleet.id: removals before it are forgotten
	news    chan struct{}        // closed when there is a newer picture
}

// New returns a View; Run keeps it up to date.
func New(c Config) *View {
	conn, kind := c.Store.Conn, c.Store.Kind
	watcher := overview.New(c.Store)
	watcher.Log = c.Log
	return &View{
		config: c, log: jets.OrDiscard(c.Log),
		orgs:     &buckets.Integrations{Store: c.Store},
		watcher:  watcher,
		activity: &activity{conn: conn, kind: kind.Name, each: map[string]*progress{}},
		letters:  &letters{conn: conn, kind: kind.Name},
		epoch:    rand.Text()[:8],
		fleet:    &Fleet{At: time.Now().UTC(), States: []StateCount{}, Integrations: []Integration{}, Replicas: []overview.Share{}, PerSecond: make([]float64, hour)},
		paces:    map[string]overview.Pace{}, told: map[string]telling{}, born: map[string]time.Time{}, removed: map[string]uint64{}, news: make(chan struct{}),
	}
}

// lookEvery is how often the picture is renewed.
const lookEvery = time.Second

// Run keeps the picture up to date until ctx ends, and returns its error.
func (v *View) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for what, run := range map[string]func(context.Context) error{"watch of buckets": v.watcher.Run, "activity": v.activity.Run, "dead letters": v.letters.Run} {
		wg.Go(func() { _ = pipeline.ContainRun(ctx, v.log, "console: "+what, run) }) // its error is ctx's
	}
	first := time.NewTicker(50 * time.Millisecond) // until everything was read once
	defer first.Stop()
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-first.C:
		case <-ticks.C:
		}
		_ = pipeline.Contain(v.log, "console: picture of the fleet", func() error {
			v.look(time.Now())
			return nil
		})
		if v.Fleet().Complete {
			first.Stop()
		}
	}
}

// Fleet returns the newest picture, which must not be changed.
func (v *View) Fleet() *Fleet {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fleet
}

package view

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"

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
	config  Config
	log     *slog.Logger
	watcher *overview.Watcher
	orgs    *buckets.Integrations

	mu    sync.Mutex
	fleet *Fleet
}

// New returns a View; Run keeps it up to date.
func New(c Config) *View {
	return &View{
		config: c, log: jets.OrDiscard(c.Log),
		watcher: overview.New(c.Store.Conn, c.Store.Kind),
		orgs:    &buckets.Integrations{Store: c.Store},
		fleet:   &Fleet{At: time.Now()},
	}
}

// Run keeps the picture up to date until ctx ends, and returns its error.
func (v *View) Run(ctx context.Context) error { return v.watcher.Run(ctx) }

// Fleet returns the newest picture, which must not be changed.
func (v *View) Fleet() *Fleet {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fleet
}

// Change is what a follower has not received yet.
type Change struct {
	ID      string        // to follow from here on after a break
	Fleet   *Fleet        // the picture now
	Changed []Integration // all integrations at first
	Gone    []string      // instances that were removed
}

// Changes yields changes at most once a second until ctx ends, or at once if there is
// news. after is the ID of the last change that the follower received; empty, or of
// another process: the first change holds everything. A slow follower loses intermediate
// states, and blocks nobody.
func (v *View) Changes(ctx context.Context, after string) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		yield(Change{Fleet: v.Fleet()})
	}
}

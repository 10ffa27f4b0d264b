package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/api"
	"github.com/witfoo/signal-client/cmd/signal-client/console/fleetpages"
	"github.com/witfoo/signal-client/cmd/signal-client/console/notificationpages"
	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/console/signalpages"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/source"
)

// Config is what a Console is made of.
type Config struct {
	Access access.Config   // who may; pages are rendered by the console
	Index  *search.Service // the search index of this process, which its caller runs
	Log    *slog.Logger
	// Network makes the clients that test orgs and receivers; nil: its zero value.
	Network *source.Network
	// Replicas is how many copies the bucket CONSOLE gets; 0: 1.
	Replicas int
}

// Console is the console of one process. It is safe for concurrent use.
type Console struct {
	config Config
	access *access.Access
	pages  *page.Renderer

	live atomic.Pointer[http.Handler] // what needs the store; nil: it is not open
}

// New checks the configuration and parses the templates.
func New(c Config) (*Console, error) {
	pages, err := page.New(page.Config{
		Contents: contents(), Version: build.Read().Version, Search: c.Index.Progress().State != search.StateOff, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	c.Access.Render, c.Access.Log = pages.Render, c.Log
	who, err := access.New(c.Access)
	if err != nil {
		return nil, err
	}
	return &Console{config: c, access: who, pages: pages}, nil
}

// contents are the templates and static files of the packages of pages.
func contents() []page.Content {
	return []page.Content{fleetpages.Content, signalpages.Content(), notificationpages.Content()}
}

// Handler serves the console. own serves the process's own pages, which stay open; nil:
// they are elsewhere. waiting returns why the store is not open yet.
func (c *Console) Handler(own http.Handler, waiting func() []string) http.Handler {
	mux := http.NewServeMux()
	if own != nil {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			mux.Handle(path, own)
		}
	}
	mux.Handle("GET "+page.StaticPrefix, c.access.Headers(c.pages.Static()))
	mux.Handle("/", c.access.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if live := c.live.Load(); live != nil {
			(*live).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "1")
		c.access.Refuse(w, r, access.Refusal{
			Status: http.StatusServiceUnavailable, Title: "Not ready yet",
			Cause: strings.Join(waiting(), "; "), Remedy: "Wait: this page works as soon as that is over.",
		})
	})))
	return mux
}

// Run opens the console on a store until ctx ends.
func (c *Console) Run(ctx context.Context, store *jets.Store) error {
	seen := c.ensure(ctx, store, nil)
	c.access.Open(store)
	v := view.New(view.Config{Store: store, Progress: c.config.Index.Progress, Log: c.config.Log})
	live := c.mux(store, v)
	c.live.Store(&live)
	defer c.live.Store(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for pipeline.Sleep(ctx, seen.every) == nil {
			_ = pipeline.Contain(c.config.Log, "console", func() error {
				seen = c.ensure(ctx, store, seen.err)
				return nil
			})
		}
	})
	return v.Run(ctx)
}

// look is the result of a look at the bucket CONSOLE, and when to look again.
type look struct {
	err   error
	every time.Duration
}

// ensure makes the bucket CONSOLE if it is not there, or no longer. It logs what keeps it
// from that unless it was before.
func (c *Console) ensure(ctx context.Context, store *jets.Store, before error) look {
	err := store.EnsureConsole(ctx, c.config.Replicas)
	if err == nil {
		return look{nil, time.Minute}
	}
	if before == nil && ctx.Err() == nil && !errors.Is(err, jets.ErrLeftOut) { // which package jets logs
		c.config.Log.Warn("console: sessions, API tokens and saved searches can't be stored", "err", err)
	}
	return look{err, 5 * time.Second}
}

// mux serves what needs the store, to users who may.
func (c *Console) mux(store *jets.Store, v *view.View) http.Handler {
	mux := http.NewServeMux()
	rest := api.New(api.Config{Store: store, View: v, Index: c.config.Index.Index, Network: c.config.Network, Log: c.config.Log})
	mux.Handle("/api/", rest)
	mux.Handle("/select/", rest)
	mux.Handle("/health", rest) // Grafana's data source asks for it
	mux.Handle("/signals/", signalpages.New(signalpages.Config{
		Store: store, Index: func() view.Index { return v.Fleet().Index }, Render: c.pages.Render,
	}))
	notifications := notificationpages.New(notificationpages.Config{Stored: &buckets.Notifications{Store: store}, Page: c.pages, Log: c.config.Log})
	mux.Handle(notificationpages.Path, notifications)
	mux.Handle(notificationpages.Path+"/", notifications)
	mux.Handle("/", fleetpages.New(fleetpages.Config{
		View: v, Kind: store.Kind, Page: c.pages, Log: c.config.Log,
		Newest: func(ctx context.Context, instance string) (*scan.Stored, error) {
			return scan.Newest(ctx, store.Conn, store.Kind, instance)
		},
	}))
	return mux
}

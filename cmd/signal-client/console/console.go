package console

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/sink/jets"
)

// Console is the console of one process. It is safe for concurrent use.
type Console struct {
	Access *access.Access
	Log    *slog.Logger

	live atomic.Pointer[http.Handler] // what needs the store; nil: it is not open
}

// Handler serves the console. own serves the process's own pages, which stay open;
// waiting returns why the store is not open yet.
func (c *Console) Handler(own http.Handler, waiting func() []string) http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		mux.Handle(path, own)
	}
	mux.Handle("/", c.Access.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if live := c.live.Load(); live != nil {
			(*live).ServeHTTP(w, r)
			return
		}
		c.Access.Refuse(w, r, access.Refusal{
			Status: http.StatusServiceUnavailable, Title: "Not ready yet",
			Cause: strings.Join(waiting(), "; "), Remedy: "wait: this page works as soon as that is over",
		})
	})))
	return mux
}

// Run opens the console on a store until ctx ends.
func (c *Console) Run(ctx context.Context, store *jets.Store) error {
	if err := store.EnsureConsole(ctx); err != nil {
		c.Log.Warn("console: sessions, tokens and searches can't be stored", "err", err)
	}
	live := c.pages(store)
	c.live.Store(&live)
	<-ctx.Done()
	c.live.Store(nil)
	return ctx.Err()
}

// pages returns what needs the store.
func (c *Console) pages(*jets.Store) http.Handler {
	mux := http.NewServeMux()
	return mux
}

package api

import (
	"log/slog"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/search"
)

// Config is what the API serves.
type Config struct {
	Store *jets.Store
	View  *view.View
	Index func() (*search.Index, error) // to ask; its error says why not
	HTTP  *http.Client                  // tests the credentials of orgs; nil: one of its own
	Log   *slog.Logger                  // nil: none
}

// New returns the handler of /api/v1/ and /select/. It expects requests that
// access.Access let through.
func New(c Config) http.Handler { return http.NotFoundHandler() }

// Package signalpages is the console's pages about events: the search and one event.
//
// The search itself runs in the browser: the modules in static ask the index under
// /select/logsql/ and the API, and a search's whole state is in the page's URL. An event's
// page reads the stream, not the index: it shows what is stored. Whatever comes out of an
// event is text.
//
// Start reading at [New]; in the browser at static/search.js.
package signalpages

import (
	"embed"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/sink/jets"
)

//go:embed templates static
var files embed.FS

// Content is the templates and static files of these pages.
func Content() page.Content { return page.Content{Name: "signals", Files: files} }

// Config is what the pages are made of.
type Config struct {
	Store *jets.Store
	Index func() view.Index // how far the search index is
	// Render answers with a page; page.Renderer's does.
	Render func(w http.ResponseWriter, r *http.Request, status int, name string, data any)
}

type pages struct{ Config }

// New returns the handler of /signals/. It expects requests that access.Access let
// through.
func New(c Config) http.Handler {
	p := &pages{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signals/search", p.search)
	mux.HandleFunc("GET /signals/search/index", p.index)
	mux.HandleFunc("GET /signals/events/{seq}", p.event)
	mux.Handle("GET /signals/{$}", http.RedirectHandler("/signals/search", http.StatusFound))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.missing(w, r) })
	return mux
}

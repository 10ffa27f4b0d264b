package fleetpages

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/scan"
)

//go:embed templates static
var files embed.FS

// Content is the templates and static files of these pages.
var Content = page.Content{Name: "fleet", Files: files}

// View is what the pages show; a *view.View is one.
type View interface {
	Fleet() *view.Fleet
	Document(ctx context.Context, instance string) (view.Document, error)
	Log(ctx context.Context, instance string) ([]buckets.Change, error)
}

// Config is what the pages need.
type Config struct {
	View   View
	Kind   *pipeline.Kind
	Newest func(ctx context.Context, instance string) (*scan.Stored, error) // the newest event of an instance
	Page   *page.Renderer                                                   // with Content
	Log    *slog.Logger                                                     // nil: nothing is logged
}

// listPath is the path of the list, below which is a page for each integration.
const listPath = "/admin/settings/integrations"

type pages struct {
	Config
}

// New returns the handler of "/" and of all below /admin/settings/integrations. It
// answers every other path with the page for 404.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &pages{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.fleet)
	mux.HandleFunc("GET "+listPath, p.integrations)
	mux.Handle("GET "+listPath+"/{$}", http.RedirectHandler(listPath, http.StatusMovedPermanently))
	mux.HandleFunc("GET "+listPath+"/{instance}", p.integration)
	mux.HandleFunc("GET "+listPath+"/{instance}/newest", p.newest)
	mux.HandleFunc("GET "+listPath+"/new/clean", p.clean)
	mux.HandleFunc("/", c.Page.NotFound)
	return mux
}

// integration shows the form of an integration. "new" with a type is the form for a new
// one.
func (p *pages) integration(w http.ResponseWriter, r *http.Request) {
	instance := r.PathValue("instance")
	if instance == "new" {
		if kind := r.URL.Query().Get("type"); kind != "" {
			p.add(w, r, kind)
			return
		}
	}
	d, err := p.View.Document(r.Context(), instance)
	switch {
	case errors.Is(err, orgs.ErrNotFound) && instance == "new":
		p.add(w, r, p.Kind.Name)
	case errors.Is(err, orgs.ErrNotFound):
		p.Page.Error(w, r, access.Refusal{
			Status: http.StatusNotFound, Title: "There is no such integration",
			Cause: "No integration is named " + instance + ".", Remedy: "It may have been deleted. Its events are kept.",
		})
	case err != nil:
		p.unavailable(w, r, err)
	default:
		p.edit(w, r, d)
	}
}

// unavailable answers a request that needed NATS.
func (p *pages) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	p.Log.Warn("console: a page needs NATS", "path", r.URL.Path, "err", err)
	p.Page.Unavailable(w, r, err.Error())
}

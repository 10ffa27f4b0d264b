package notificationpages

import (
	"embed"
	"log/slog"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

//go:embed templates static
var files embed.FS

// Content returns the templates and static files of these pages.
func Content() page.Content { return page.Content{Name: "notifications", Files: files} }

// Config is what the pages need.
type Config struct {
	Stored *buckets.Notifications
	Page   *page.Renderer // with Content
	Log    *slog.Logger   // nil: nothing is logged
}

// Path is the path of the list. The other pages are below it.
const Path = "/admin/settings/notifications"

type pages struct{ Config }

// New returns the handler of Path and all below. It expects requests that access.Access
// let through.
func New(c Config) http.Handler {
	c.Log = jets.OrDiscard(c.Log)
	p := &pages{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, p.list)
	mux.Handle("GET "+Path+"/{$}", http.RedirectHandler(Path, http.StatusMovedPermanently))
	mux.HandleFunc("GET "+Path+"/new-channel", p.admin(p.newChannel))
	mux.HandleFunc("GET "+Path+"/new-rule", p.admin(p.newRule))
	mux.HandleFunc("GET "+Path+"/channels/{name}", p.admin(p.channel))
	mux.HandleFunc("GET "+Path+"/rules/{name}", p.admin(p.rule))
	mux.HandleFunc("/", c.Page.NotFound)
	return mux
}

// admin hands the channels and rules to a page for those who may change them.
func (p *pages) admin(show func(http.ResponseWriter, *http.Request, notify.Document)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !access.From(r.Context()).Role.May(access.RoleAdmin) {
			p.Page.Error(w, r, access.Refusal{Status: http.StatusForbidden, Title: "You may not change notifications", Cause: "It needs the role admin.", Remedy: "Ask an administrator."})
			return
		}
		d, _, err := notify.Read(r.Context(), p.Stored)
		if err != nil {
			p.unavailable(w, r, err)
			return
		}
		show(w, r, d)
	}
}

func (p *pages) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	p.Log.Warn("console: a page needs NATS", "path", r.URL.Path, "err", err)
	p.Page.Unavailable(w, r, err.Error())
}

func (p *pages) missing(w http.ResponseWriter, r *http.Request, what string) {
	p.Page.Error(w, r, access.Refusal{Status: http.StatusNotFound, Title: "There is no such " + what,
		Cause: "No " + what + " is named " + r.PathValue("name") + ".", Remedy: "It may have been deleted."})
}

package api

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/source"
)

// Config is what the API serves.
type Config struct {
	Store *jets.Store
	View  *view.View
	Index func() (*search.Index, error) // to ask; its error says why not
	Log   *slog.Logger                  // nil: none

	Network *source.Network // makes the clients that test orgs and receivers; nil: its zero value
}

// api answers requests.
type api struct {
	Config
	searches      *buckets.Searches
	notifications *buckets.Notifications
}

// route is a method of a path, as OpenAPI describes it.
type route struct {
	method, path string
	handler      http.HandlerFunc
	admin        bool // it changes something, or sends requests to an org
}

const root = "/api/v1"

// routes are all routes below root. openapi.json has the same.
func (a *api) routes() []route {
	return []route{
		{"GET", "/integrations", a.listIntegrations, false},
		{"POST", "/integrations", a.createIntegration, true},
		{"POST", "/integrations/test", a.testIntegration, true},
		{"POST", "/integrations/import", a.importIntegrations, true},
		{"GET", "/integrations/{instance}", a.getIntegration, false},
		{"PUT", "/integrations/{instance}", a.replaceIntegration, true},
		{"PATCH", "/integrations/{instance}", a.patchIntegration, true},
		{"DELETE", "/integrations/{instance}", a.deleteIntegration, true},
		{"GET", "/integrations/{instance}/history", a.history, false},
		{"GET", "/integrations/{instance}/changes", a.changes, false},
		{"GET", "/status", a.status, false},
		{"GET", "/status/stream", a.statusStream, false},
		{"GET", "/fleet", a.fleet, false},
		{"GET", "/openapi.json", describe, false},
		{"GET", "/signals/{seq}", a.signal, false},
		{"GET", "/searches", a.listSearches, false},
		{"POST", "/searches", a.createSearch, true},
		{"DELETE", "/searches/{id}", a.deleteSearch, true},
		{"GET", "/notifications", a.listNotifications, false},
		{"GET", "/notifications/history", a.notified, false},
		{"PUT", "/notifications/channels/{name}", a.putChannel, true},
		{"DELETE", "/notifications/channels/{name}", a.deleteChannel, true},
		{"POST", "/notifications/channels/{name}/test", a.testChannel, true},
		{"PUT", "/notifications/rules/{name}", a.putRule, true},
		{"DELETE", "/notifications/rules/{name}", a.deleteRule, true},
	}
}

// New returns the handler of /api/v1/, /select/ and /health. It expects requests that
// access.Access let through.
func New(c Config) http.Handler {
	c.Log = jets.OrDiscard(c.Log)
	if c.Network == nil {
		c.Network = new(source.Network)
	}
	a := &api{Config: c, searches: &buckets.Searches{Store: c.Store}, notifications: &buckets.Notifications{Store: c.Store}}
	mux := http.NewServeMux()
	paths := map[string]methods{}
	for _, r := range a.routes() {
		var h http.Handler = r.handler
		if r.admin {
			h = access.Require(access.RoleAdmin, h)
		}
		if paths[r.path] == nil {
			paths[r.path] = methods{}
		}
		paths[r.path][r.method] = h
	}
	const one = "/integrations/{instance}"
	for path, m := range paths {
		if name, ok := strings.CutPrefix(path, "/integrations/"); ok && path != one && !strings.Contains(name, "/") {
			m.ofInstance(name, paths[one])
		}
		mux.Handle(root+path, m)
	}
	a.proxy(mux)
	mux.HandleFunc("/", notFound)
	return plainPaths(mux)
}

// plainPaths refuses paths that could mean another one to somebody behind: with . and ..,
// empty parts, encoded slashes or backslashes.
func plainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := strings.ToLower(r.URL.EscapedPath())
		for _, trick := range []string{"//", "/./", "/../", "%2f", "%2e", "%5c", "\\", "%25", "%00"} {
			if strings.Contains(escaped, trick) || strings.HasSuffix(escaped, "/.") || strings.HasSuffix(escaped, "/..") {
				notFound(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, Problem{Status: http.StatusNotFound, Title: "Not found", Cause: "There is nothing at this path.", Remedy: "See GET " + root + "/openapi.json."})
}

// describe answers with the description of this API.
func describe(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, schemas.Files, "openapi.json")
}

// methods are the handlers of a path.
type methods map[string]http.Handler

// ServeHTTP implements http.Handler.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := m[method]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	list := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", list)
	refuse(w, Problem{Status: http.StatusMethodNotAllowed, Title: "Method not allowed", Cause: "This path has no " + r.Method + ".", Remedy: "Use one of " + list + "."})
}

// ofInstance adds the methods of the integration that is named like this path: test, say.
func (m methods) ofInstance(name string, one methods) {
	for method, h := range one {
		if m[method] == nil {
			m[method] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.SetPathValue("instance", name)
				h.ServeHTTP(w, r)
			})
		}
	}
}

package page

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}`

// answer renders one page in the layout.
func answer(t *testing.T, user access.User, render func(*Renderer, http.ResponseWriter, *http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	own := fstest.MapFS{
		"templates/one.html":     {Data: []byte(`{{define "title"}}{{.Data}}{{end}}{{define "main"}}<h1>{{.Data}}</h1>{{template "part" .}}{{end}}`)},
		"templates/parts/a.html": {Data: []byte(`{{define "part"}}<a title="{{.Data}}">{{.User.Name}}</a>{{end}}`)},
		"templates/broken.html":  {Data: []byte(`{{define "title"}}Half{{end}}{{define "main"}}<h1>Half</h1>{{.Data.Missing}}{{end}}`)},
		"static/own.js":          {Data: []byte(`import "../page/dom.js";`)},
	}
	r, err := New(Config{Contents: []Content{{Name: "own", Files: own}}, Version: "v1", Search: true})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	render(r, w, httptest.NewRequestWithContext(access.WithUser(t.Context(), user), "GET", "/signals/search", nil))
	return w
}

func TestRender(t *testing.T) {
	w := answer(t, access.User{Name: "ann", Role: access.RoleViewer, Via: access.ViaPassword}, func(r *Renderer, w http.ResponseWriter, req *http.Request) {
		r.Render(w, req, http.StatusOK, "own/one", "Search")
	})
	body := w.Body.String()
	for _, want := range []string{
		"<title>Search – signal-client</title>", "<h1>Search</h1>", `href="#main"`, `<main id="main"`, ">ann<", "Log out", "signal-client v1",
		`<a href="/signals/search" aria-current="page">Search</a>`, `<a href="/" aria-current="false">Fleet</a>`, `<a href="/select/vmui/">Explore</a>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("answer %d %v", w.Code, w.Header())
	}
}

// A policy without inline scripts and styles must not break a page.
func TestNothingIsInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*src=)?[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=`)
	for name, render := range map[string]func(*Renderer, http.ResponseWriter, *http.Request){
		"page":  func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.Render(w, req, 200, "own/one", "x") },
		"error": func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.NotFound(w, req) },
		"login": func(r *Renderer, w http.ResponseWriter, req *http.Request) {
			r.Render(w, req, 200, "login", access.LoginPage{Password: true, OIDC: true, Failed: "wrong"})
		},
	} {
		if found := inline.FindString(answer(t, access.User{Name: "ann"}, render).Body.String()); found != "" {
			t.Errorf("%s has %s", name, found)
		}
	}
}

func TestHostileTextIsText(t *testing.T) {
	for name, w := range map[string]*httptest.ResponseRecorder{
		"page": answer(t, access.User{Name: hostile, Role: hostile}, func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.Render(w, req, 200, "own/one", hostile) }),
		"login": answer(t, access.User{}, func(r *Renderer, w http.ResponseWriter, req *http.Request) {
			r.Render(w, req, 401, "login", access.LoginPage{Password: true, OIDC: true, User: hostile, Next: hostile, Failed: hostile})
		}),
		"error": answer(t, access.User{}, func(r *Renderer, w http.ResponseWriter, req *http.Request) {
			r.Error(w, req, access.Refusal{Status: 404, Title: hostile, Cause: hostile, Remedy: hostile})
		}),
	} {
		body := w.Body.String()
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") {
			t.Errorf("%s runs what it should show: %s", name, body)
		}
	}
}

// A template that fails half-way sends nothing of itself.
func TestBrokenPage(t *testing.T) {
	w := answer(t, access.User{Name: "ann"}, func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.Render(w, req, 200, "own/broken", "x") })
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "Half") || !strings.Contains(w.Body.String(), "Back to the fleet") {
		t.Errorf("answer %d: %s", w.Code, w.Body)
	}
}

// A large page is compressed for who understands it.
func TestCompressed(t *testing.T) {
	for _, c := range []struct {
		accept, data, encoding string
	}{{"br, gzip", strings.Repeat("tile ", 10000), "gzip"}, {"", strings.Repeat("tile ", 10000), ""}, {"gzip", "small", ""}} {
		w := answer(t, access.User{Name: "ann"}, func(r *Renderer, w http.ResponseWriter, req *http.Request) {
			req.Header.Set("Accept-Encoding", c.accept)
			r.Render(w, req, 200, "own/one", c.data)
		})
		var body io.Reader = w.Body
		if w.Header().Get("Content-Encoding") != c.encoding || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %v", c.accept, w.Header())
		}
		if c.encoding != "" {
			var err error
			if body, err = gzip.NewReader(w.Body); err != nil {
				t.Fatal(err)
			}
		}
		if page, err := io.ReadAll(body); err != nil || !strings.Contains(string(page), c.data) {
			t.Errorf("%q: the page is not whole: %v", c.accept, err)
		}
	}
}

func TestErrorPages(t *testing.T) {
	for _, c := range []struct {
		status int
		words  string
		render func(*Renderer, http.ResponseWriter, *http.Request)
	}{
		{404, "There is no such page", func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.NotFound(w, req) }},
		{403, "the role admin", func(r *Renderer, w http.ResponseWriter, req *http.Request) {
			r.Error(w, req, access.Refusal{Status: 403, Title: "You may not do this", Cause: "It needs the role admin."})
		}},
		{503, "NATS is not connected", func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.Unavailable(w, req, "no servers") }},
		{500, "Something went wrong", func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.Internal(w, req) }},
	} {
		if w := answer(t, access.User{Name: "ann"}, c.render); w.Code != c.status || !strings.Contains(w.Body.String(), c.words) {
			t.Errorf("answer %d, want %d with %q", w.Code, c.status, c.words)
		}
	}
}

func TestStatic(t *testing.T) {
	body := answer(t, access.User{}, func(r *Renderer, w http.ResponseWriter, req *http.Request) { r.Render(w, req, 200, "own/one", "x") }).Body.String()
	css := regexp.MustCompile(`href="(/static/[0-9a-f]{16}/page/base\.css)"`).FindStringSubmatch(body)
	if css == nil {
		t.Fatalf("no style sheet in %s", body)
	}
	for _, c := range []struct {
		path, kind, cache string
		status            int
	}{
		{css[1], "text/css; charset=utf-8", "public, max-age=31536000, immutable", 200},
		{strings.Replace(css[1], "page/base.css", "own/own.js", 1), "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", 200},
		{"/static/0123456789abcdef/page/base.css", "text/css; charset=utf-8", "no-cache", 200},
		{strings.Replace(css[1], "page/base.css", "page/../render.go", 1), "text/plain; charset=utf-8", "", 404},
		{"/static/", "text/plain; charset=utf-8", "", 404},
	} {
		w := answer(t, access.User{}, func(r *Renderer, w http.ResponseWriter, _ *http.Request) {
			r.Static().ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		})
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || w.Header().Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d %v", c.path, w.Code, w.Header())
		}
	}
}

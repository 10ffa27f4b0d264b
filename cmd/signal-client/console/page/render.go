package page

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
)

//go:embed templates static
var files embed.FS

// Content is the templates and static files of a package of pages.
type Content struct {
	// Name is the first part of its templates' names and of its static files' paths:
	// the file templates/overview.html of the Content "fleet" is the template
	// "fleet/overview", and its static/overview.js is `{{static "fleet/overview.js"}}`.
	Name string

	// Files holds templates/*.html and static/*. A template defines "title" and "main", and
	// may define "head" (its scripts and styles). The files templates/parts/*.html define
	// what several of them use.
	Files fs.FS
}

// Config is what a Renderer is made of.
type Config struct {
	Contents []Content
	Version  string       // shown at the foot of each page
	Search   bool         // the index can be asked: link Search and Explore
	Log      *slog.Logger // nil: nothing is logged
}

// own is the Name of this package's Content. The names of its templates have no prefix:
// "login" with an access.LoginPage, "error" with an access.Refusal.
const own = "page"

// Renderer renders pages. It is safe for concurrent use.
type Renderer struct {
	config Config
	static *static
	pages  map[string]*template.Template // by name
}

// Shown is the dot of every template.
type Shown struct {
	User    access.User // the zero User: nobody is logged in, and there is no navigation
	Version string
	Path    string // of the request
	Status  int    // of the answer
	Search  bool
	Data    any // what the page's own code handed to Render
}

// Admin reports whether the user may change things; pages show nobody else what does.
func (s Shown) Admin() bool { return s.User.Role.May(access.RoleAdmin) }

// Session reports whether the user has a session that can be ended.
func (s Shown) Session() bool {
	return s.User.Via == access.ViaPassword || s.User.Via == access.ViaOIDC
}

// New parses all templates.
func New(c Config) (*Renderer, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	contents := append([]Content{{Name: own, Files: files}}, c.Contents...)
	assets, err := newStatic(contents)
	if err != nil {
		return nil, err
	}
	r := &Renderer{config: c, static: assets, pages: map[string]*template.Template{}}
	layout, err := template.New("layout").Funcs(funcs(assets)).ParseFS(files, "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	for _, content := range contents {
		if err := r.parse(layout, content); err != nil {
			return nil, fmt.Errorf("templates of %s: %w", content.Name, err)
		}
	}
	return r, nil
}

// parse adds the pages of a content, each with the layout and the content's parts.
func (r *Renderer) parse(layout *template.Template, c Content) error {
	shared, err := withFiles(layout, c.Files, "templates/parts/*.html")
	if err != nil {
		return err
	}
	names, err := fs.Glob(c.Files, "templates/*.html")
	if err != nil {
		return err
	}
	for _, name := range names {
		page, err := withFiles(shared, c.Files, name)
		if err != nil {
			return err
		}
		r.pages[strings.TrimPrefix(c.Name+"/", own+"/")+strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return nil
}

// withFiles returns a copy of t with the files that fit the pattern, if any do.
func withFiles(t *template.Template, files fs.FS, pattern string) (*template.Template, error) {
	t, err := t.Clone()
	if err != nil {
		return nil, err
	}
	if names, err := fs.Glob(files, pattern); err != nil || len(names) == 0 {
		return t, err
	}
	return t.ParseFS(files, pattern)
}

// Render answers a request with a page in the layout. The template finds data as
// .Data, and the user as .User. If it fails, nothing of it is sent: the answer is the
// error page for 500.
func (r *Renderer) Render(w http.ResponseWriter, req *http.Request, status int, name string, data any) {
	var body bytes.Buffer
	if err := r.execute(&body, req, status, name, data); err != nil {
		r.config.Log.Error("a page can't be rendered", "page", name, "error", err)
		status = http.StatusInternalServerError
		body.Reset()
		if err := r.execute(&body, req, status, "error", internal); err != nil {
			http.Error(w, internal.Title, status)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store") // a page must not outlive the session
	h.Add("Vary", "Accept-Encoding")
	send(w, req, status, body.Bytes())
}

// worthCompressing is the least size of a page that is compressed: hundreds of tiles shrink
// to a twentieth.
const worthCompressing = 16 << 10

func send(w http.ResponseWriter, req *http.Request, status int, body []byte) {
	if len(body) < worthCompressing || !strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		if req.Method != http.MethodHead {
			_, _ = w.Write(body) // the reader is gone: nobody to tell
		}
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	if req.Method != http.MethodHead {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // a level that exists
		_, _ = z.Write(body)
		_ = z.Close()
	}
}

func (r *Renderer) execute(to *bytes.Buffer, req *http.Request, status int, name string, data any) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("no template is named %s", name)
	}
	return page.ExecuteTemplate(to, "layout", Shown{
		User: access.From(req.Context()), Version: r.config.Version, Path: req.URL.Path, Status: status, Search: r.config.Search, Data: data,
	})
}

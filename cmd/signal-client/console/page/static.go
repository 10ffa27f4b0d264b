package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// StaticPrefix is the path below which Static serves.
const StaticPrefix = "/static/"

// static is the static files of all contents. Their URLs hold one hash over all of
// them, so that modules import each other by relative paths, and a browser may keep
// them for good.
type static struct {
	prefix string // StaticPrefix, the hash and a slash
	files  map[string][]byte
}

func newStatic(contents []Content) (*static, error) {
	s := &static{files: map[string][]byte{}}
	sum := sha256.New()
	for _, c := range contents {
		names, err := fs.Glob(c.Files, "static/*")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			data, err := fs.ReadFile(c.Files, name)
			if err != nil {
				return nil, err
			}
			at := c.Name + "/" + path.Base(name)
			s.files[at] = data
			fmt.Fprintf(sum, "%s %d\n", at, len(data))
			sum.Write(data)
		}
	}
	s.prefix = StaticPrefix + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	return s, nil
}

// url returns the URL of a file such as page/base.css.
func (s *static) url(name string) (string, error) {
	if _, ok := s.files[name]; !ok {
		return "", fmt.Errorf("no static file is named %s", name)
	}
	return s.prefix + name, nil
}

// ServeHTTP serves a file. A page from before an update still finds its scripts under
// its old hash, as they are now, and is told not to keep them.
func (s *static) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, name, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, StaticPrefix), "/")
	data, ok := s.files[name]
	if !ok {
		http.NotFound(w, req)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mimeType(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(req.URL.Path, s.prefix) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if req.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}

// mimeType doesn't ask the machine's own tables, which may call JavaScript text/plain.
func mimeType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// Static serves the static files of all contents; mount it at "GET /static/".
func (r *Renderer) Static() http.Handler { return r.static }

// StaticURL returns the URL of a static file such as page/base.css; a page's own code
// needs it only for what no template names.
func (r *Renderer) StaticURL(name string) (string, error) { return r.static.url(name) }

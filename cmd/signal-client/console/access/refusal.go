package access

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Refusal is why a request is not served: the data of the page "error", or a problem
// document (RFC 9457).
type Refusal struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Cause  string `json:"cause,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// LoginPage is the data of the page "login". Its form posts user, password and next to
// /login.
type LoginPage struct {
	Next     string // where to go afterwards: a local path
	User     string // as typed before
	Failed   string // why the last attempt failed; empty: there was none
	Password bool   // ask for user and password
	OIDC     bool   // link to /login/oidc?next=<Next>
}

// Refuse answers a request with a page, or with a problem document where no page is
// expected. A nil Access answers, too.
func (a *Access) Refuse(w http.ResponseWriter, r *http.Request, why Refusal) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if wantsProblem(r) {
		h.Set("Content-Type", "application/problem+json")
		w.WriteHeader(why.Status)
		_ = json.NewEncoder(w).Encode(why) // the client is gone
		return
	}
	if a != nil && a.config.Render != nil {
		a.config.Render(w, r, why.Status, "error", why)
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(why.Status)
	fmt.Fprintf(w, "%s\n\n%s\n%s\n", why.Title, why.Cause, why.Remedy)
}

// wantsProblem reports whether the request is a program's, not a page's.
func wantsProblem(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/select/") ||
		r.Header.Get("Authorization") != "" && !strings.Contains(r.Header.Get("Accept"), "text/html")
}

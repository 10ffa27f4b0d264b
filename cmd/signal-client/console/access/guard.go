package access

import (
	"net"
	"net/http"
	"strings"

	"github.com/witfoo/signal-client/sink/embedded"
)

// policy is the Content-Security-Policy of every page but VictoriaLogs' own.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// The web UI of VictoriaLogs sets styles from its script and shows images and fonts from
// data URLs. Its scripts are files, as ours are.
const (
	explorePath   = "/select/vmui/"
	explorePolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)

// Headers sets the headers by which browsers keep other sites out of an answer.
func (a *Access) Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		if strings.HasPrefix(r.URL.Path, explorePath) {
			h.Set("Content-Security-Policy", explorePolicy)
		}
		h.Set("Cache-Control", "no-store") // unless the handler knows better
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// suspect returns why a request is refused whoever sends it.
func (a *Access) suspect(r *http.Request) (Refusal, bool) {
	switch {
	case a.config.open() && !localHost(r.Host):
		return Refusal{Status: http.StatusMisdirectedRequest, Title: "Wrong address",
			Cause:  "The console asks for no password here, so it answers to the names of this machine's loopback address only: a page of another site could otherwise use it by a name of its own.",
			Remedy: "Open it as http://127.0.0.1 or http://localhost with its port. For another name, set SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE."}, true
	case a.config.open() && !onLoopback(r):
		return Refusal{Status: http.StatusForbidden, Title: "Not on this address", Cause: "The console asks for no password, so it is open on loopback only."}, true
	}
	if err := a.origins.Check(r); err != nil {
		return Refusal{Status: http.StatusForbidden, Title: "Refused", Cause: "The request comes from a page of another site.", Remedy: "Open the console itself, and do it there."}, true
	}
	if foreign(r) {
		return Refusal{Status: http.StatusForbidden, Title: "Refused", Cause: "A page of another site may link to the console, but not load from it.", Remedy: "Open the console itself."}, true
	}
	return Refusal{}, false
}

// localHost reports whether a request's Host is a name of the loopback address.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return embedded.Loopback(strings.ToLower(host))
}

// onLoopback reports whether a request reached a loopback address.
func onLoopback(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true // it came from no listener
	}
	host, _, err := net.SplitHostPort(at.String())
	return err != nil || embedded.Loopback(host)
}

// foreign reports whether another site loads something from the console. It may link to a
// page, nothing else.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		page := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		return !page || r.Method != http.MethodGet
	}
	return false
}

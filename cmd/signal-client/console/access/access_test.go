package access

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/sink/jets"
)

// Without a password the console is open on loopback, and to a Host that is a loopback
// name: another site that resolves its own name to 127.0.0.1 gets nothing.
func TestOpenOnLoopback(t *testing.T) {
	f := serve(t, Config{})
	client := f.browser()
	local := User{Name: "local", Role: RoleAdmin, Via: ViaLoopback}
	for _, name := range []string{"127.0.0.1:8000", "localhost:8000", "localhost", "LocalHost:80", "[::1]:8000", "[::1]", "127.0.0.1"} {
		if got := f.ask(client, "GET", "/", "", host(name)); got.user != local {
			t.Errorf("Host %s: %d %s", name, got.status, got.body)
		}
	}
	for _, name := range []string{"evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example#localhost", "0.0.0.0:8000", "10.0.0.1", "xlocalhost"} {
		for _, path := range []string{"/", "/api/v1/status", "/select/logsql/query", "/login"} {
			if got := f.ask(client, "GET", path, "", host(name)); got.status != http.StatusMisdirectedRequest && got.status != http.StatusBadRequest || got.user != (User{}) {
				t.Errorf("Host %s, %s: %d %s", name, path, got.status, got.body)
			}
		}
	}
	if got := f.ask(client, "GET", "/login?next=/a", ""); got.status != http.StatusSeeOther || got.header.Get("Location") != "/a" {
		t.Errorf("login: %d %s", got.status, got.header.Get("Location"))
	}
}

// A console without a password that is bound to another address by mistake lets nobody in.
func TestOpenNowhereElse(t *testing.T) {
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, w := newRequest(t, "/"), newRecorder()
	at, err := netip.ParseAddrPort("192.0.2.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tcpAddr(at)))
	a.Wrap(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("got %d", w.Code)
	}
}

// What no user may see: pages go to the login and come back, programs get a problem
// document.
func TestUnknownUsers(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	for path, want := range map[string]string{
		"/":                           "/login",
		"/signals/search?query=a%20b": "/login?next=%2Fsignals%2Fsearch%3Fquery%3Da%2520b",
		"/logout":                     "/login",
		"//evil.example/":             "/login",
	} {
		if got := f.ask(client, "GET", path, ""); got.status != http.StatusSeeOther && got.status != http.StatusTemporaryRedirect || path != "//evil.example/" && got.header.Get("Location") != want {
			t.Errorf("%s: %d to %s, want %s", path, got.status, got.header.Get("Location"), want)
		}
	}
	for _, c := range []struct{ method, path string }{
		{"GET", "/api/v1/status"}, {"GET", "/select/logsql/query"}, {"GET", "/select/vmui/"}, {"POST", "/api/v1/change"}, {"POST", "/"}, {"DELETE", "/x"},
		{"GET", "/api/v1/..%2f..%2fhealthz"}, {"GET", "/select/logsql/..%2f..%2flogin"}, {"GET", "/api/v1/status?session=x&token=sct_aaaaaaaaaaaa_b"},
	} {
		got := f.ask(client, c.method, c.path, "")
		var problem Refusal
		_ = json.Unmarshal([]byte(got.body), &problem)
		if got.status != http.StatusUnauthorized || strings.HasPrefix(c.path, "/api") && (got.header.Get("Content-Type") != "application/problem+json" || problem.Status != 401 || problem.Remedy == "") {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.status, got.body)
		}
	}
	for _, cookie := range []string{"x", strings.Repeat("A", idLength), strings.Repeat("*", idLength), strings.Repeat("A", 4000)} {
		got := f.ask(client, "GET", "/api/v1/status", "", header("Cookie", f.access.cookieName()+"="+cookie))
		if got.status != http.StatusUnauthorized {
			t.Errorf("session %.20s: %d %s", cookie, got.status, got.body)
		}
	}
}

// While the store is not open nobody gets in, and is told why.
func TestStoreIsNotOpen(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	f.login(client, "alice", "open sesame")
	f.access.logins.Store(nil)
	if got := f.ask(client, "GET", "/", ""); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := f.login(client, "alice", "open sesame"); got.status != http.StatusServiceUnavailable {
		t.Errorf("login: %d %s", got.status, got.body)
	}
}

// A page of another site can't change anything, nor load anything, with the session of a
// user who has one; it may link to a page.
func TestOtherSites(t *testing.T) {
	for name, f := range map[string]*fixture{"open": serve(t, Config{}), "password": withPasswords(t)} {
		client := f.browser()
		if name == "password" {
			f.login(client, "alice", "open sesame")
		}
		for _, c := range []struct {
			method, path string
			headers      []func(*http.Request)
			want         int
		}{
			{"POST", "/api/v1/change", nil, 204},
			{"POST", "/api/v1/change", []func(*http.Request){header("Sec-Fetch-Site", "same-origin")}, 204},
			{"POST", "/api/v1/change", []func(*http.Request){header("Origin", f.server.URL)}, 204},
			{"POST", "/api/v1/change", []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, 403},
			{"POST", "/api/v1/change", []func(*http.Request){header("Sec-Fetch-Site", "same-site")}, 403},
			{"POST", "/api/v1/change", []func(*http.Request){header("Origin", "http://evil.example")}, 403},
			{"POST", "/api/v1/change", []func(*http.Request){header("Origin", "null")}, 403},
			{"POST", "/login", []func(*http.Request){header("Origin", "http://evil.example")}, 403},
			{"POST", "/logout", []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, 403},
			{"GET", "/api/v1/status", []func(*http.Request){header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "no-cors"), header("Sec-Fetch-Dest", "image")}, 403},
			{"GET", "/select/logsql/query", []func(*http.Request){header("Sec-Fetch-Site", "same-site"), header("Sec-Fetch-Mode", "cors"), header("Sec-Fetch-Dest", "empty")}, 403},
			{"GET", "/", []func(*http.Request){header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "iframe")}, 403},
			{"GET", "/", []func(*http.Request){header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "document")}, 200},
			{"GET", "/", []func(*http.Request){header("Sec-Fetch-Site", "none"), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "document")}, 200},
		} {
			if got := f.ask(client, c.method, c.path, "", c.headers...); got.status != c.want {
				t.Errorf("%s: %s %s: %d, want %d", name, c.method, c.path, got.status, c.want)
			}
		}
		if name == "password" && f.session(client) == "" {
			t.Error("another site ended the session")
		}
	}
}

// Every answer tells the browser what it must not do with it.
func TestSecurityHeaders(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	for _, path := range []string{"/", "/login", "/api/v1/status", "/select/vmui/"} {
		h := f.ask(client, "GET", path, "").header
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script-src") ||
			strings.Contains(csp, "unsafe") != (path == "/select/vmui/") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// A viewer may look and not change, whatever he is logged in by; nobody's handler is
// reached without a user.
func TestViewerChangesNothing(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	f.login(client, "bob", "friend")
	if got := f.ask(client, "GET", "/", ""); got.user != (User{Name: "bob", Role: RoleViewer, Via: ViaPassword}) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got := f.ask(client, "POST", "/api/v1/change", "")
	if got.status != http.StatusForbidden || got.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got.body, "bob has the role viewer") {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, method := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		if got := f.ask(client, "GET", "/api/v1/change", "", header(method, "POST")); got.status == http.StatusNoContent {
			t.Errorf("%s works", method)
		}
	}
	w := newRecorder()
	Require(RoleViewer, http.NotFoundHandler()).ServeHTTP(w, newRequest(t, "/api/v1/x"))
	if w.Code != http.StatusForbidden {
		t.Errorf("without a user: %d", w.Code)
	}
}

// The name of a reverse proxy's user counts only from the proxy's addresses.
func TestProxy(t *testing.T) {
	proxy := &Proxy{UserHeader: "X-Forwarded-User", GroupsHeader: "X-Forwarded-Groups", AdminGroup: "okta-admins"}
	trusted := serve(t, Config{Proxy: proxy, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	other := serve(t, Config{Proxy: proxy, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	ann, groups := header("X-Forwarded-User", "ann"), header("X-Forwarded-Groups", "staff, okta-admins")
	twice := func(r *http.Request) { r.Header["X-Forwarded-User"] = []string{"ann", "root"} }
	for _, c := range []struct {
		f       *fixture
		headers []func(*http.Request)
		want    User
	}{
		{trusted, []func(*http.Request){ann, groups}, User{"ann", RoleAdmin, ViaProxy}},
		{trusted, []func(*http.Request){ann, header("X-Forwarded-Groups", "okta-admins-of-lunch")}, User{"ann", RoleViewer, ViaProxy}},
		{trusted, []func(*http.Request){ann}, User{"ann", RoleViewer, ViaProxy}},
		{trusted, []func(*http.Request){ann, header("Authorization", "Basic YW5uOg==")}, User{"ann", RoleViewer, ViaProxy}}, // as oauth2-proxy passes on
		{trusted, []func(*http.Request){ann, header("Authorization", "Bearer sct_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAA")}, User{}},
		{trusted, nil, User{}},
		{trusted, []func(*http.Request){header("X-Forwarded-User", " ")}, User{}},
		{trusted, []func(*http.Request){twice}, User{}},
		{trusted, []func(*http.Request){header("X-Forwarded-User", strings.Repeat("a", 200))}, User{}},
		{other, []func(*http.Request){ann, groups}, User{}},
		{other, []func(*http.Request){ann, groups, header("X-Forwarded-For", "192.0.2.1"), header("X-Real-Ip", "192.0.2.1"), header("Forwarded", "for=192.0.2.1")}, User{}},
	} {
		got := c.f.ask(c.f.browser(), "GET", "/", "", c.headers...)
		if got.user != c.want || c.want == (User{}) && got.status != http.StatusUnauthorized {
			t.Errorf("got %d %+v, want %+v", got.status, got.user, c.want)
		}
	}
}

// A test that reads the store finds nothing that lets it in.
func TestStoreHoldsNoSecret(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	f.login(client, "alice", "open sesame")
	id := f.session(client)
	token, _, err := NewToken(t.Context(), f.logins, "grafana", RoleViewer)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := parseToken([]string{"Bearer " + token})
	seen := 0
	err = f.logins.Store.Conn.Each(t.Context(), jets.BucketConsole, ">", false, func(e jets.KVEntry) {
		seen++
		for _, s := range []string{id, secret, strings.ToLower(id), "open sesame"} {
			if s == "" || strings.Contains(e.Key+string(e.Value), s) {
				t.Errorf("%s holds %q", e.Key, s)
			}
		}
	})
	if err != nil || seen != 2 {
		t.Errorf("%d entries, %v", seen, err)
	}
}

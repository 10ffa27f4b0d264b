package access

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/buckets"
)

// A login begins a session whose cookie no script reads and no other site sends, and goes
// where the user wanted to go.
func TestLogin(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	got := f.login(client, "alice", "open sesame")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/signals/search?query=a" {
		t.Fatalf("%d to %q: %s", got.status, got.header.Get("Location"), got.body)
	}
	cookie := got.header.Get("Set-Cookie")
	for _, want := range []string{"; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %q", cookie, want)
		}
	}
	if strings.Contains(cookie, "Secure") || strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie is %q", cookie)
	}
	if got := f.ask(client, "GET", "/", ""); got.user != (User{"alice", RoleAdmin, ViaPassword}) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := f.ask(client, "POST", "/api/v1/change", ""); got.status != http.StatusNoContent {
		t.Errorf("a change: %d", got.status)
	}
}

// Where TLS is, the cookie is sent over TLS only and belongs to this host only.
func TestCookieOverTLS(t *testing.T) {
	for _, c := range []Config{{TLS: true}, {URL: "https://console.example.com"}} {
		a, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if cookie := a.cookie("x", 1); !cookie.Secure || !strings.HasPrefix(cookie.Name, "__Host-") || cookie.Domain != "" || cookie.Path != "/" {
			t.Errorf("%+v: %+v", c, cookie)
		}
	}
}

// Wrong logins begin nothing, and don't say what was wrong.
func TestWrongLogins(t *testing.T) {
	f := withPasswords(t)
	client := f.browser()
	want := ""
	for _, c := range [][2]string{{"alice", "friend"}, {"alice", ""}, {"", ""}, {"ALICE", "open sesame"}, {"mallory", "open sesame"}, {"alice ", "open sesame"}, {"alice", strings.Repeat("x", 2000)}} {
		got := f.login(client, c[0], c[1])
		if want == "" {
			want = got.body
		}
		if got.status != http.StatusUnauthorized || got.body != want || len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%q: %d %s", c, got.status, got.body)
		}
	}
	if got := f.ask(client, "POST", "/login", "user="+strings.Repeat("a", mostLoginBody)); got.status != http.StatusBadRequest {
		t.Errorf("a large form: %d", got.status)
	}
	if got := f.ask(client, "GET", "/login?user=alice&password=open+sesame", ""); got.status != http.StatusOK || f.session(client) != "" {
		t.Errorf("a password in the URL: %d", got.status)
	}
}

// An id that somebody planted in the browser is not the session's after the login, and one
// from before ends.
func TestSessionFixation(t *testing.T) {
	f := withPasswords(t)
	planted := strings.Repeat("A", idLength)
	client := f.browser()
	got := f.login(client, "alice", "open sesame", header("Cookie", f.access.cookieName()+"="+planted))
	if got.status != http.StatusSeeOther || f.session(client) == planted || f.session(client) == "" {
		t.Fatalf("%d, session %q", got.status, f.session(client))
	}
	before := f.session(client)
	f.login(client, "alice", "open sesame")
	if f.session(client) == before {
		t.Error("the id stays at a second login")
	}
	for _, id := range []string{planted, before} {
		if got := f.ask(f.browser(), "GET", "/api/v1/x", "", header("Cookie", f.access.cookieName()+"="+id)); got.status != http.StatusUnauthorized {
			t.Errorf("the session %.5s… works: %d", id, got.status)
		}
	}
}

// Any process that has the store serves the session, and none once it has ended: a copy of
// the cookie is worth nothing after the log-out.
func TestSessionsAreShared(t *testing.T) {
	f := withPasswords(t)
	other := serveOn(t, Config{PasswordFile: f.file}, f.logins.Store)
	client := f.browser()
	f.login(client, "alice", "open sesame")
	stolen := header("Cookie", f.access.cookieName()+"="+f.session(client))
	if got := other.ask(f.browser(), "GET", "/", "", stolen); got.user.Name != "alice" {
		t.Fatalf("the other process: %d %s", got.status, got.body)
	}
	if got := f.ask(client, "POST", "/logout", ""); got.status != http.StatusSeeOther || f.session(client) != "" {
		t.Errorf("log-out: %d", got.status)
	}
	for _, at := range []*fixture{f, other} {
		if got := at.ask(f.browser(), "GET", "/api/v1/x", "", stolen); got.status != http.StatusUnauthorized {
			t.Errorf("after the log-out: %d %s", got.status, got.body)
		}
	}
	if got := f.ask(client, "GET", "/logout", ""); got.status != http.StatusSeeOther || got.header.Get("Location") != "/login" {
		t.Errorf("GET /logout: %d", got.status)
	}
}

// A session ends with its user, with the user's password, with its time and with the way
// by which it began; a changed role counts at once.
func TestSessionsEnd(t *testing.T) {
	f := withPasswords(t)
	alice, bob := f.browser(), f.browser()
	f.login(alice, "alice", "open sesame")
	f.login(bob, "bob", "friend")
	status := func(c *http.Client) int { return f.ask(c, "GET", "/api/v1/x", "").status }
	hash := hashed(t, "other")
	writeFile(t, f.file, "alice:admin:"+hash+"\n")
	if status(alice) != 401 || status(bob) != 401 {
		t.Errorf("with a new password: %d; removed: %d", status(alice), status(bob))
	}
	f.login(alice, "alice", "other")
	writeFile(t, f.file, "# alice was an admin\nalice:viewer:"+hash+"\n")
	if got := f.ask(alice, "GET", "/", ""); got.user.Role != RoleViewer {
		t.Errorf("with another role: %d %s", got.status, got.body)
	}
	writeFile(t, f.file, "alice:viewer\n")
	if status(alice) != 200 {
		t.Error("a faulty file ends sessions")
	}
	for name, login := range map[string]buckets.Login{
		"expired":   {User: "alice", Role: "admin", Via: ViaPassword, Proof: account{hash: hash}.proof(), ExpiresAt: time.Now().Add(-time.Second)},
		"oidc":      {User: "alice", Role: "admin", Via: ViaOIDC, ExpiresAt: time.Now().Add(time.Hour)},
		"no proof":  {User: "alice", Role: "admin", Via: ViaPassword, ExpiresAt: time.Now().Add(time.Hour)},
		"elsewhere": {User: "alice", Role: "admin", Via: "x", ExpiresAt: time.Now().Add(time.Hour)},
	} {
		id := strings.Repeat("B", idLength-len(name)) + strings.ToUpper(name)
		if err := f.logins.Create(t.Context(), hashOf(id), login); err != nil {
			t.Fatal(err)
		}
		if got := f.ask(f.browser(), "GET", "/api/v1/x", "", header("Cookie", f.access.cookieName()+"="+id)); got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// A stream of events ends with the session or the token that it was opened with.
func TestStreamsEndWithTheirUser(t *testing.T) {
	f := withPasswords(t)
	f.access.recheck = 5 * time.Millisecond
	client := f.browser()
	f.login(client, "alice", "open sesame")
	token, stored, err := NewToken(t.Context(), f.logins, "siem", RoleViewer)
	if err != nil {
		t.Fatal(err)
	}
	begun, ended := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(f.access.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})))
	defer server.Close()
	f.server.Close()
	open := func(change func(*http.Request)) {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/api/v1/status/stream", nil)
		if err != nil {
			t.Error(err)
			return
		}
		change(r)
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
		}
	}
	go open(header("Cookie", f.access.cookieName()+"="+f.session(client)))
	<-begun
	go open(header("Authorization", "Bearer "+token))
	<-begun
	select {
	case <-ended:
		t.Fatal("a stream ends by itself")
	case <-time.After(50 * time.Millisecond): // ten looks, which found nothing
	}
	if err := f.logins.Delete(t.Context(), hashOf(f.session(client))); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := f.logins.Revoke(t.Context(), stored.ID); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// Only a path of this console is gone to after a login.
func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"/": "/", "/signals/search?query=a%20b&x=//c": "/signals/search?query=a%20b&x=//c", "/a#b": "/a#b", "": "/",
		"https://evil.example": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "/\t/evil.example": "/",
		"/\n/evil.example": "/", "javascript:alert(1)": "/", "/%0d%0aSet-Cookie:a": "/%0d%0aSet-Cookie:a", "evil": "/", "@evil.example": "/", " /x": "/",
		"/login": "/", "/login/oidc": "/", "/logout": "/", "/%2f%2fevil.example": "/", "/%2Fevil.example": "/", "/" + strings.Repeat("a", 3000): "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q: got %q, want %q", next, got, want)
		}
	}
}

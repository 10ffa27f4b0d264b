package access

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// fixture is a console that says who is asking, on a real server.
type fixture struct {
	*testing.T
	access *Access
	server *httptest.Server
	logins *buckets.Logins
	file   string // of passwords
}

// cheap makes hashes that cost tests nothing.
var cheap = argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func hashed(t *testing.T, password string) string {
	t.Helper()
	hash, err := argon2id.CreateHash(password, &cheap)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// withPasswords has the admin alice, whose password is "open sesame", and the viewer bob,
// whose is "friend".
func withPasswords(t *testing.T) *fixture {
	t.Helper()
	file := filepath.Join(t.TempDir(), "passwords")
	writeFile(t, file, "# users\nalice:admin:"+hashed(t, "open sesame")+"\n\nbob : viewer : "+hashed(t, "friend")+"\n")
	f := serve(t, Config{PasswordFile: file})
	f.file = file
	f.access.passwords.dummy = hashed(t, "nobody")
	return f
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve starts a console with a store.
func serve(t *testing.T, c Config) *fixture {
	t.Helper()
	store := sinktest.New(t, jetstest.Config{}).Store
	if err := store.EnsureConsole(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return serveOn(t, c, store)
}

func serveOn(t *testing.T, c Config, store *jets.Store) *fixture {
	t.Helper()
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	a.Open(store)
	f := &fixture{T: t, access: a, logins: &buckets.Logins{Store: store}}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(From(r.Context()))
	})
	mux.Handle("POST /api/v1/change", Require(RoleAdmin, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
	f.server = httptest.NewServer(a.Wrap(mux))
	t.Cleanup(f.server.Close)
	return f
}

// browser is a client that keeps cookies and follows no redirect.
func (f *fixture) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: f.server.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	user   User // of a page; zero: none was shown
}

// ask sends a request; change may make it another one.
func (f *fixture) ask(client *http.Client, method, path, form string, change ...func(*http.Request)) answer {
	f.Helper()
	var body io.Reader
	if form != "" {
		body = strings.NewReader(form)
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(f.Context()), method, f.server.URL+path, body)
	if err != nil {
		f.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	resp, err := client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	got := answer{status: resp.StatusCode, header: resp.Header, body: string(data)}
	if resp.StatusCode == http.StatusOK {
		_ = json.Unmarshal(data, &got.user) // a page of another kind shows no user
	}
	return got
}

// login posts the form.
func (f *fixture) login(client *http.Client, user, password string, change ...func(*http.Request)) answer {
	f.Helper()
	form := url.Values{"user": {user}, "password": {password}, "next": {"/signals/search?query=a"}}
	return f.ask(client, "POST", "/login", form.Encode(), change...)
}

// header sets a header of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// host sets the Host of a request.
func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// session returns the value of a client's session cookie; empty: none.
func (f *fixture) session(client *http.Client) string {
	f.Helper()
	at, err := url.Parse(f.server.URL)
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range client.Jar.Cookies(at) {
		if c.Name == f.access.cookieName() {
			return c.Value
		}
	}
	return ""
}

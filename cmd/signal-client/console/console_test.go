package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// own stands for the process's own pages.
var own = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "own "+r.URL.Path) })

func newConsole(t *testing.T, c access.Config) *Console {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	console, err := New(Config{Access: c, Index: search.New(search.Config{Mode: search.Off}, log), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return console
}

// get asks for a path and returns the answer's status and body.
func get(t *testing.T, server *httptest.Server, path string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(r)
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Before the store is open every page says what is waited for; then all of them are
// there, and the process's own pages all the time.
func TestConsole(t *testing.T) {
	c := newConsole(t, access.Config{})
	server := httptest.NewServer(c.Handler(own, func() []string { return []string{"NATS is away", "truly"} }))
	defer server.Close()
	for path, want := range map[string]string{"/": "NATS is away; truly", "/signals/search": "NATS is away", "/api/v1/status": `"cause":"NATS is away; truly"`} {
		if status, body := get(t, server, path); status != http.StatusServiceUnavailable || !strings.Contains(body, want) {
			t.Errorf("%s before: %d %s", path, status, body)
		}
	}
	store := sinktest.New(t, jetstest.Config{}).Store
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx, store) }()
	for deadline := time.Now().Add(time.Minute); c.live.Load() == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the console does not open")
		}
	}
	for path, want := range map[string]int{
		"/": 200, "/admin/settings/integrations": 200, "/admin/settings/integrations/new?type=okta": 200, "/signals/search": 200,
		"/api/v1/fleet": 200, "/api/v1/status": 200, "/api/v1/integrations": 200, "/healthz": 200, "/metrics": 200, "/nowhere": 404, "/api/v1/nowhere": 404,
		"/static/0/page/base.css": 200, "/insert/jsonline": 404, "/select/insert/x": 404,
	} {
		if status, body := get(t, server, path); status != want {
			t.Errorf("%s: %d, want %d: %.300s", path, status, want, body)
		}
	}
	if err := store.Conn.JS.DeleteKeyValue(t.Context(), jets.BucketConsole); err != nil {
		t.Fatal(err)
	}
	if again := c.ensure(t.Context(), store, nil); again.err != nil {
		t.Errorf("a removed bucket: %v", again.err)
	}
	if _, err := store.Conn.Info(t.Context(), jets.BucketStream(jets.BucketConsole)); err != nil {
		t.Errorf("a removed bucket: %v", err)
	}
	cancel()
	<-done
	if status, _ := get(t, server, "/"); status != http.StatusServiceUnavailable {
		t.Errorf("after the end: %d", status)
	}
}

// Without a user there are the login, its files and the process's own pages, and nothing
// else.
func TestOpenPages(t *testing.T) {
	c := newConsole(t, access.Config{Proxy: &access.Proxy{UserHeader: "X-User", GroupsHeader: "X-Groups"}})
	server := httptest.NewServer(c.Handler(own, func() []string { return nil }))
	defer server.Close()
	for path, want := range map[string]int{
		"/": 401, "/signals/search": 401, "/api/v1/fleet": 401, "/select/vmui/": 401, "/healthz": 200, "/readyz": 200, "/metrics": 200,
		"/static/0/page/base.css": 200, "/static/../api/v1/fleet": 307, "/static/..%2f..%2fapi/v1/fleet": 404, "/metrics/../api/v1/fleet": 307, "/healthz/x": 401,
	} {
		if status, body := get(t, server, path); status != want {
			t.Errorf("%s: %d, want %d: %.200s", path, status, want, body)
		}
	}
}

// With an address of their own the process's pages are not the console's.
func TestOwnPagesElsewhere(t *testing.T) {
	c := newConsole(t, access.Config{})
	server := httptest.NewServer(c.Handler(nil, func() []string { return []string{"x"} }))
	defer server.Close()
	if status, _ := get(t, server, "/metrics"); status != http.StatusServiceUnavailable {
		t.Errorf("got %d", status)
	}
}

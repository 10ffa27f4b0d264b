package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/search/searchtest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

func TestMain(m *testing.M) {
	searchtest.Main()
	jetstest.Main(m)
}

// fixture is the API on a real NATS server, a simulated org, and what stands for
// VictoriaLogs.
type fixture struct {
	*testing.T
	store  *jets.Store
	view   *view.View
	server *httptest.Server
	org    *oktatest.Org
	orgURL string
	logs   http.HandlerFunc // answers for the index
	index  *search.Index    // a real one; nil: logs
	user   access.User
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, user: access.User{Name: "ann", Role: access.RoleAdmin, Via: access.ViaPassword}}
	f.store = sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
	if err := f.store.EnsureConsole(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f.org = oktatest.New(oktatest.Config{Seed: 1, Even: true, Tokens: []string{"right"}, Rate: oktatest.Rate{PerMinute: 600, Share: 1}})
	f.org.Generate(20, time.Hour)
	org := httptest.NewServer(f.org)
	t.Cleanup(org.Close)
	f.orgURL = org.URL
	logs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.logs(w, r) }))
	t.Cleanup(logs.Close)
	f.view = view.New(view.Config{Store: f.store})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.view.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	h := New(Config{Store: f.store, View: f.view, Index: func() (*search.Index, error) {
		if f.index != nil {
			return f.index, nil
		}
		if f.logs == nil {
			return nil, search.ErrUnavailable
		}
		return &search.Index{URL: logs.URL, HTTP: logs.Client()}, nil
	}})
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.WithUser(r.Context(), f.user)))
	}))
	t.Cleanup(f.server.Close)
	return f
}

// reply is an answer that was read.
type reply struct {
	*http.Response
	body []byte
}

// member returns a member of an answer's object by its path.
func (r reply) member(path string) any {
	var at any
	_ = json.Unmarshal(r.body, &at)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	return at
}

// ask sends a request; headers are pairs.
func (f *fixture) ask(method, path, body string, headers ...string) reply {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.server.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatal(err)
	}
	if bytes.Contains(data, []byte("s3cret")) || bytes.Contains(data, []byte(`"right"`)) {
		f.Errorf("%s %s shows a secret: %s", method, path, data)
	}
	f.conforms(method, path, answer, data)
	return reply{answer, data}
}

// want sends a request and checks the status.
func (f *fixture) want(status int, method, path, body string, headers ...string) reply {
	f.Helper()
	r := f.ask(method, path, body, headers...)
	if r.StatusCode != status {
		f.Fatalf("%s %s: status %d, want %d: %s", method, path, r.StatusCode, status, r.body)
	}
	if status >= 400 && r.Header.Get("Content-Type") != "application/problem+json" {
		f.Errorf("%s %s: %d is no problem document: %s", method, path, status, r.body)
	}
	return r
}

// stored returns the value in INTEGRATIONS.
func (f *fixture) stored(instance string) map[string]any {
	f.Helper()
	m, err := f.store.Conn.Value(f.Context(), jets.BucketIntegrations, "okta."+instance)
	if err != nil {
		f.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(m.Data, &v); err != nil {
		f.Fatal(err)
	}
	return v
}

// put writes a value as another program does.
func (f *fixture) put(instance, value string) {
	f.Helper()
	if _, err := f.store.Conn.JS.Publish(f.Context(), "$KV."+jets.BucketIntegrations+".okta."+instance, []byte(value)); err != nil {
		f.Fatal(err)
	}
}

// acme is the value of an integration of the simulated org.
func (f *fixture) acme(token string) string {
	return fmt.Sprintf(`{"instance":"acme","name":"Acme","poll_interval":"1m","settings":{"base_url":%q},"credentials":{"api_token":%q}}`, f.orgURL, token)
}

// eventually waits for a condition.
func (f *fixture) eventually(what string, is func() bool) {
	f.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("not within 10 s: %s", what)
		}
	}
}

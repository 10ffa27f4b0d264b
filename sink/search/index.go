package search

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Index is a VictoriaLogs: the child process or a remote one. It is safe for concurrent
// use.
type Index struct {
	URL      string // without a path at the end, such as http://127.0.0.1:9428
	User     string // empty: none
	Password pipeline.Secret
	HTTP     *http.Client
}

// newHTTPClient returns a client without a limit for whole answers, because a tail never
// ends: callers limit by their context.
func newHTTPClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 5 * time.Minute
	t.MaxIdleConnsPerHost = 16
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Get sends a query, such as path "/select/logsql/query", and returns the response
// whatever its status. The caller closes its body.
func (x *Index) Get(ctx context.Context, path string, q url.Values) (*http.Response, error) {
	// A POST with a form: a query may be longer than a URL.
	return x.do(ctx, path, nil, "application/x-www-form-urlencoded", strings.NewReader(q.Encode()))
}

// File fetches a file of VictoriaLogs' own page, such as "/select/vmui/", or what else has
// no query.
func (x *Index) File(ctx context.Context, path string) (*http.Response, error) {
	return x.send(ctx, http.MethodGet, x.URL+path, "", nil)
}

func (x *Index) do(ctx context.Context, path string, q url.Values, contentType string, body io.Reader) (*http.Response, error) {
	at := x.URL + path
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	return x.send(ctx, http.MethodPost, at, contentType, body)
}

func (x *Index) send(ctx context.Context, method, at, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return nil, fmt.Errorf("ask the index: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if x.User != "" || !x.Password.IsZero() {
		req.SetBasicAuth(x.User, x.Password.Reveal())
	}
	answer, err := x.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the index: %w", err)
	}
	return answer, nil
}

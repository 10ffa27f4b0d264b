package search

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Index is a VictoriaLogs: the child process or a remote one. It is safe for concurrent
// use.
type Index struct {
	URL      string // without a slash at its end, such as http://127.0.0.1:9428
	User     string // empty: none
	Password pipeline.Secret
	HTTP     *http.Client

	native bool // it is the child, which takes native rows
}

// Times of a client. Whole answers have no limit, because a tail never ends: callers
// limit them by their context.
const (
	dialTime   = 5 * time.Second
	headerTime = 2 * time.Minute // a slow search sends nothing for long
)

// newHTTPClient returns a client for an index. It follows no redirect, which could take
// the password elsewhere.
func newHTTPClient(remote bool) *http.Client {
	t := &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, ResponseHeaderTimeout: headerTime, TLSHandshakeTimeout: dialTime,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, DisableCompression: !remote,
	}
	if remote {
		t.Proxy, t.ForceAttemptHTTP2 = http.ProxyFromEnvironment, true
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Get sends a query, such as path "/select/logsql/query", and returns the response
// whatever its status. The caller closes its body.
func (x *Index) Get(ctx context.Context, path string, q url.Values) (*http.Response, error) {
	// As a form, because a query may be longer than a URL.
	return x.post(ctx, path, nil, "application/x-www-form-urlencoded", strings.NewReader(q.Encode()))
}

// File fetches a file of VictoriaLogs' own page, such as "/select/vmui/", or what else has
// no query.
func (x *Index) File(ctx context.Context, path string) (*http.Response, error) {
	return x.send(ctx, http.MethodGet, x.URL+path, "", nil)
}

func (x *Index) post(ctx context.Context, path string, q url.Values, contentType string, body io.Reader) (*http.Response, error) {
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

// indexError is an answer of an index that is none.
type indexError struct {
	act    string
	status int
	text   string
}

func (e *indexError) Error() string {
	return fmt.Sprintf("%s: the index answers %d: %s", e.act, e.status, e.text)
}

func (e *indexError) remedy() string {
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "SIGNAL_CLIENT_SEARCH_USER and SIGNAL_CLIENT_SEARCH_PASSWORD_FILE must be those of the VictoriaLogs"
	case http.StatusTooManyRequests:
		return "make room on the disk; the index continues by itself"
	case http.StatusNotFound:
		return "SIGNAL_CLIENT_SEARCH must be the URL of a VictoriaLogs, such as http://<host>:9428"
	}
	return "see the log of the VictoriaLogs"
}

// accepted returns an answer of status 200, and the error for any other.
func accepted(act string, answer *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
	return nil, &indexError{act, answer.StatusCode, withoutEvent(strings.TrimSpace(string(text)))}
}

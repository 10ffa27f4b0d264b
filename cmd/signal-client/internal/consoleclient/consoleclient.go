// Package consoleclient is how commands ask the console of the running service. Start at
// [Load].
package consoleclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/search"
)

// Client asks a console.
type Client struct {
	URL  string       // without a slash at its end
	HTTP *http.Client // sends the API token, if there is one
}

// Load reads from the environment where the console is, and the API token for it.
func Load(cmd *cobra.Command) (*Client, error) {
	var (
		process config.Process
		at      config.ConsoleAddress
		access  config.ConsoleToken
	)
	if err := config.Load(cmd, &process, &at, &access); err != nil {
		return nil, err
	}
	token, err := access.Token()
	if err != nil {
		return nil, err
	}
	c := &Client{URL: strings.TrimSuffix(at.URL, "/")}
	if c.URL == "" {
		c.URL = "http://" + config.Reachable(process.HTTPAddr)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	c.HTTP = &http.Client{Transport: bearer{token.Reveal(), transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// bearer sends an API token with each request.
type bearer struct {
	token string // empty: none
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(r)
}

// Progress is how far the search index is.
type Progress struct {
	State      search.State   `json:"state"`
	Rebuilding bool           `json:"rebuilding"`
	Stream     uint64         `json:"stream"`  // events that the stream holds
	Indexed    uint64         `json:"indexed"` // events that the index holds
	Behind     uint64         `json:"behind"`  // events that are not indexed yet
	Through    time.Time      `json:"through"` // arrival of the newest indexed event
	Refused    search.Refused `json:"refused"`
	Trouble    string         `json:"trouble"`
	Remedy     string         `json:"remedy"`
}

// None reports whether there is no index.
func (p Progress) None() bool { return p.State == "" || p.State == search.StateOff }

// Complete reports whether the index has what the stream has. A few events are always on
// their way.
func (p Progress) Complete() bool {
	return p.State == search.StateCurrent || p.Behind == 0 && p.State != search.StateFailed && p.State != search.StateStarting
}

// ErrNone: there is no console at the address.
var ErrNone = errors.New("the service has no console")

// Index asks how far the search index is.
func (c *Client) Index(ctx context.Context) (Progress, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/api/v1/fleet", nil)
	if err != nil {
		return Progress{}, err
	}
	answer, err := c.HTTP.Do(req)
	if err != nil {
		return Progress{}, &problem.Error{Op: "ask " + c.URL, Err: errors.New(problem.Innermost(err)), Code: problem.Unreachable}
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return Progress{}, ErrNone
	default:
		return Progress{}, fmt.Errorf("ask %s: it answers %s", c.URL, answer.Status)
	}
	var fleet struct {
		Index Progress `json:"index"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 64<<20)).Decode(&fleet); err != nil {
		return Progress{}, fmt.Errorf("ask %s: read the answer: %w", c.URL, err)
	}
	return fleet.Index, nil
}

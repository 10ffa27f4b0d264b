package okta

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// NewHTTPClient returns an http.Client as a Client wants it: deadlines on every
// phase, no redirects followed, no cookies kept, TLS 1.2 or newer, and a proxy when the
// environment names one. A connection of HTTP/2 that has been silent for a while is
// pinged, and closed when nothing comes back: a NAT may have forgotten it. Many
// Clients may share it.
func NewHTTPClient() *http.Client {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: stay,
		Transport: &http.Transport{
			Proxy:                  Proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // the body is inflated here, within bounds
			MaxIdleConns:           1000, // an org polled each 5 min is not worth one
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        90 * time.Second,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: 256 << 10,
			HTTP2: &http.HTTP2Config{
				SendPingTimeout:  15 * time.Second,
				PingTimeout:      10 * time.Second,
				WriteByteTimeout: 20 * time.Second,
			},
		},
	}
}

// stay follows no redirect, since the token must not go where it points.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// errLate is the cause of a request's end that took too long. It matches no
// context's error, since the caller's context goes on.
var errLate = errors.New("no whole answer in time")

// get makes one request, within the Client's Timeout. What it waits for memory
// does not count.
func (c *Client) get(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var conn atomic.Value // of httptrace.GotConnInfo: what the request goes over
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conn.Store(i) }})
	left := newPatience(c.Timeout, func() { cancel(errLate) })
	page, status, err := c.exchange(ctx, link, c.room(link, left))
	left.Stop()
	c.requested(fold(status, err), c.Timeout-left.left)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if got, ok := conn.Load().(httptrace.GotConnInfo); ok && errors.Is(err, errLate) {
		hangUp(got.Conn)
	}
	return page, err
}

// hangUp closes a connection over which no answer came in time, so that no request
// takes it again. It says no goodbye, which might take as long.
func hangUp(conn net.Conn) {
	for {
		secured, ok := conn.(*tls.Conn)
		if !ok {
			break
		}
		conn = secured.NetConn()
	}
	_ = conn.Close()
}

// exchange is a request and its answer. The status is 0 when there was none.
func (c *Client) exchange(ctx context.Context, link pipeline.Link, room *room) (pipeline.Page, int, error) {
	req, err := c.request(ctx, link)
	if err != nil {
		c.Limiter.Failed()
		return pipeline.Page{}, 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.Limiter.Failed()
		return pipeline.Page{}, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	c.observe(resp)
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	if resp.StatusCode != http.StatusOK {
		return pipeline.Page{Date: date}, resp.StatusCode, c.refusal(ctx, resp, link)
	}
	page, err := c.page(ctx, resp, link, room)
	if err != nil {
		room.grant.Release()
	}
	page.Date = date
	return page, resp.StatusCode, err
}

func (c *Client) request(ctx context.Context, link pipeline.Link) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Origin+string(link), nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w: %w", err, pipeline.ErrConfig)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Authorization", "SSWS "+c.Token.Reveal())
	req.Header.Set("User-Agent", c.UserAgent)
	return req, nil
}

// observe reads the budget, first of all: whatever becomes of the answer, it
// has cost a request.
func (c *Client) observe(resp *http.Response) {
	limit, ok := c.Limiter.Observe(resp.StatusCode, resp.Header)
	if ok && c.Trace != nil && c.Trace.Budget != nil {
		c.Trace.Budget(c.Instance, limit)
	}
}

// page reads an answer of status 200: the link before the body.
func (c *Client) page(ctx context.Context, resp *http.Response, link pipeline.Link, room *room) (pipeline.Page, error) {
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	if err := early(link, date); err != nil {
		return pipeline.Page{}, err
	}
	next, err := c.next(resp.Header.Values("Link"))
	if err != nil {
		return pipeline.Page{}, err
	}
	body, err := readBody(ctx, resp, c.size, room)
	if err != nil {
		return pipeline.Page{}, err
	}
	c.size = len(body)
	limit := LimitOf(link)
	events, err := split(body, limit)
	if err != nil {
		return pipeline.Page{}, fmt.Errorf("status 200 without a page: %w", err)
	}
	return pipeline.Page{
		Events: events,
		Next:   cmp.Or(next, link),
		Limit:  limit,
		Full:   len(events) >= limit,
		Bytes:  len(body),
		Memory: room.settle(cap(body)),
	}, nil
}

// early refuses the page of a live query that begins after the org's own clock. Such a
// link was made by a clock that was wrong, and what happens until then would be
// passed over.
func early(link pipeline.Link, date time.Time) error {
	since := sinceOf(link)
	if date.IsZero() || since.IsZero() || !since.After(date.Add(time.Second)) || param(string(link), "until") != "" { // Date is cut to seconds
		return nil
	}
	return fmt.Errorf("link begins at %s, but the org's clock says %s: %w",
		since.UTC().Format(time.RFC3339), date.UTC().Format(time.RFC3339), pipeline.ErrCursor)
}

// readable turns a failed exchange into what an operator can read: without the
// URL that net/http puts into it, and without the token, should anyone have
// echoed it.
func (c *Client) readable(err error) error {
	if errors.Is(err, errLate) {
		return fmt.Errorf("%w: none within %s", err, c.Timeout)
	}
	if _, answered := errors.AsType[*Error](err); answered {
		return err // foreign texts in it are redacted; its kind must stay
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if text := err.Error(); strings.Contains(text, c.Token.Reveal()) {
		return errors.New(clean(c.redact(text), maxText))
	}
	return err
}

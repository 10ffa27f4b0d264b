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
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/page"
)

// get makes one request within the Client's Timeout. Waiting for memory does not count.
func (c *Client) get(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var conn atomic.Value // httptrace.GotConnInfo of the request's connection
	var progress source.Progress
	ctx = httptrace.WithClientTrace(ctx, progress.Trace())
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { conn.Store(i) }})
	left := page.NewTimeout(c.Timeout, func() { cancel(source.ErrLate) })
	page, status, err := c.exchange(ctx, link, c.reservation(link, left))
	left.Pause()
	c.trace.Requested(c.Instance, fold(status, err), c.Timeout-left.Left())
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if status == 0 || errors.Is(err, source.ErrLate) {
		err = progress.Failed(err)
	}
	if got, ok := conn.Load().(httptrace.GotConnInfo); ok && errors.Is(err, source.ErrLate) {
		hangUp(got.Conn)
	}
	return page, err
}

// hangUp closes a connection over which no answer came in time, so that no request uses
// it again. It skips the TLS close message, which could block as long.
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

// exchange sends a request and reads its answer. Status 0: no answer.
func (c *Client) exchange(ctx context.Context, link pipeline.Link, memory *page.Reservation) (pipeline.Page, int, error) {
	req, err := c.request(ctx, link)
	if err != nil {
		c.Limiter.Failed()
		return pipeline.Page{}, 0, err
	}
	resp, err := c.signed.Do(req)
	if err != nil {
		c.Limiter.Failed()
		return pipeline.Page{}, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	// Whatever becomes of the answer, the request was counted, so its budget is read first.
	if limit, ok := c.Limiter.Observe(limiter.Request{Share: c.Share, Credential: c.Credential}, resp.StatusCode, resp.Header); ok {
		c.trace.Budget(c.Instance, limit)
	}
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	if resp.StatusCode != http.StatusOK {
		return pipeline.Page{Date: date}, resp.StatusCode, c.refusal(ctx, resp, link)
	}
	page, err := c.page(ctx, resp, link, memory)
	if err != nil {
		memory.Release()
	}
	page.Date = date
	return page, resp.StatusCode, err
}

func (c *Client) request(ctx context.Context, link pipeline.Link) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Origin+string(link), nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w: %w", err, pipeline.ErrConfig)
	}
	req.Close = c.quiet && c.Interval > source.IdleConnTime
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", c.UserAgent)
	return req, nil
}

// page reads an answer of status 200: first the link, then the body.
func (c *Client) page(ctx context.Context, resp *http.Response, link pipeline.Link, memory *page.Reservation) (pipeline.Page, error) {
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	if err := early(link, date); err != nil {
		return pipeline.Page{}, err
	}
	next, err := c.next(resp.Header.Values("Link"))
	if err != nil {
		return pipeline.Page{}, err
	}
	body, err := page.Read(ctx, resp, c.size, memory)
	if err != nil {
		return pipeline.Page{}, err
	}
	c.size = len(body)
	limit := LimitOf(link)
	events, err := split(body, limit)
	if err != nil {
		return pipeline.Page{}, fmt.Errorf("%w: %w", source.ErrNoPage, err)
	}
	return pipeline.Page{
		Events: events,
		Next:   cmp.Or(next, link),
		Limit:  limit,
		Full:   len(events) >= limit,
		Bytes:  len(body),
		Memory: memory.Settle(cap(body)),
	}, nil
}

// early refuses the page of a live query that begins in the future by the org's clock. A
// wrong clock made that link, and events until then would be skipped.
func early(link pipeline.Link, date time.Time) error {
	since := sinceOf(link)
	if date.IsZero() || since.IsZero() || !since.After(date.Add(time.Second)) || param(string(link), "until") != "" { // Date is cut to seconds
		return nil
	}
	return fmt.Errorf("link begins at %s, but the org's clock says %s: %w",
		since.UTC().Format(time.RFC3339), date.UTC().Format(time.RFC3339), pipeline.ErrCursor)
}

// readable makes the error of a failed exchange fit for operators: without the URL that
// net/http adds, and without the token if somebody echoed it.
func (c *Client) readable(err error) error {
	if errors.Is(err, source.ErrLate) {
		return fmt.Errorf("%w: none within %s", err, c.Timeout)
	}
	if _, answered := errors.AsType[*Error](err); answered {
		return err // its texts are redacted already, and its kind must stay
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if text := err.Error(); c.redact(text) != text {
		return errors.New(clean(c.redact(text), maxText))
	}
	return err
}

// eventSize is more than most events have.
const eventSize = 4 << 10

// reservation returns the memory that an answer to a link may take.
func (c *Client) reservation(link pipeline.Link, left *page.Timeout) *page.Reservation {
	full := min(int64(LimitOf(link))*eventSize, c.MaxBody)
	return &page.Reservation{Gate: c.Memory, Drains: c.drains(), First: c.size == 0, Full: full, Most: c.MaxBody, Timeout: left}
}

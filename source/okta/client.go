package okta

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Client asks one org for pages of its System Log. Fill in Instance, Origin and
// Token; every other field's zero value is its default. It keeps one request in
// flight: Poll is not safe for concurrent use. The fields must not change after
// the first Poll.
type Client struct {
	Instance  string
	Origin    string          // https://acme.okta.com; the only host that is ever asked
	Token     pipeline.Secret // an API token (SSWS)
	LinkHosts []string        // further hosts that a next link may name; they are not asked either
	Limit     int             // elements that a link asks for; 0: 999

	Limiter *Limiter      // the org's, shared by all of its instances; nil: the Client's own
	Share   float64       // of the org's limit, above 0, at most 1; 0: 0.5
	HTTP    *http.Client  // nil: one by NewHTTPClient. Its Jar and CheckRedirect are not used
	Timeout time.Duration // one request with its body, waiting for others aside; 0: 60 s
	MaxBody int64         // bytes of a body, inflated; 0: DefaultMaxBody

	// What this client shares with all others of the process; nil: no bound. One
	// whose newest page showed nothing that waits goes before all others, unless it is Later; so
	// it does among those who wait for the Limiter.
	InFlight *pipeline.Gate // requests
	Memory   *pipeline.Gate // bytes of pages, from a body's first byte until the page is released
	Later    bool           // it asks for what is not urgent: the past

	Trace     *pipeline.Trace // nil: none
	UserAgent string          // empty: signal-client

	once    sync.Once
	http    http.Client
	squeeze squeeze
	heavy   heavy
	size    int  // of the body before
	quiet   bool // the page before showed nothing that waits
}

// DefaultMaxBody is the most bytes that a body may have.
const DefaultMaxBody = 64 << 20

var _ pipeline.Source = (*Client)(nil)

// Poll waits for the org's budget, and then for its turn among the requests of
// the process. It asks for the link's page and reads it whole. The page's Memory is to
// be released.
//
// Its errors are those of pipeline.Source; what Okta answered is an *Error in
// their chain. A status 200 whose body is broken, cut short or too large, and a next
// link that leads off the org, are transient errors: there is no page, and the
// caller still stands where it stood. The page's events share one buffer.
func (c *Client) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	c.once.Do(c.withDefaults)
	asked := c.heavy.apply(c.squeeze.apply(link))
	if err := c.check(asked); err != nil {
		return pipeline.Page{}, err
	}
	w := &waiter{share: c.Share, rank: c.rank(), long: c.waits}
	if err := c.Limiter.wait(ctx, w); err != nil {
		return pipeline.Page{}, fmt.Errorf("wait for budget of %s: %w", c.Origin, err)
	}
	slot, err := c.InFlight.Take(ctx, 1, c.drains())
	if err != nil {
		c.Limiter.Failed()
		return pipeline.Page{}, fmt.Errorf("wait for other requests: %w", err)
	}
	defer slot.Release()
	page, err := c.get(ctx, asked)
	if err != nil {
		c.squeeze.failed(link, asked, err)
		c.heavy.failed(asked, err)
		return pipeline.Page{Date: page.Date}, fmt.Errorf("ask %s: %w", c.Origin, c.readable(err))
	}
	c.squeeze, c.quiet = squeeze{}, !moreWaits(page)
	c.heavy.arrived(link)
	page.Link = link
	if asked != link && page.Next == asked {
		page.Next = link // it did not move
	} else if asked != link {
		page.Next = restoreLimit(page.Next, LimitOf(asked), c.Limit)
	}
	c.drift(page.Events)
	return page, nil
}

// moreWaits reports whether more is waiting behind a page, as far as one page tells: it is full,
// or its newest event has waited itself. An org may send fewer than it was asked for.
func moreWaits(page pipeline.Page) bool {
	if page.Full || len(page.Events) == 0 || page.Date.IsZero() {
		return page.Full
	}
	edge := page.Date.Add(-oldNews)
	return !slices.ContainsFunc(page.Events, func(e pipeline.Event) bool { return e.Published.After(edge) })
}

// oldNews is longer ago than what an org is asked for at the head of its log.
const oldNews = 15 * time.Minute

// rank is how urgent the next request is. Of a log that was not asked for yet
// nobody knows how much is waiting there.
func (c *Client) rank() rank {
	switch {
	case c.Later:
		return past
	case c.quiet:
		return head
	}
	return drain
}

// drains reports whether the client is to let others of the process go first.
func (c *Client) drains() bool { return c.rank() != head }

// withDefaults fills in what was left out.
func (c *Client) withDefaults() {
	c.Limit = cmp.Or(c.Limit, DefaultLimit)
	c.Share = cmp.Or(c.Share, 0.5)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.MaxBody = cmp.Or(c.MaxBody, DefaultMaxBody)
	c.UserAgent = cmp.Or(c.UserAgent, "signal-client")
	if c.Limiter == nil {
		c.Limiter = new(Limiter)
	}
	if c.HTTP == nil {
		c.HTTP = NewHTTPClient()
	}
	c.http = *c.HTTP
	c.http.Jar = nil
	c.http.CheckRedirect = stay
}

// check refuses what can't be sent. A stored link is not trusted: put behind
// the origin, one that starts with "@" or "." would name another host.
func (c *Client) check(link pipeline.Link) error {
	if !isLogs(string(link)) {
		return fmt.Errorf("link %.100q is not a path to %s: %w", string(link), logsPath, pipeline.ErrConfig)
	}
	if token := c.Token.Reveal(); token == "" || !printable(token) {
		return fmt.Errorf("api_token is empty or holds characters that no token has; set it anew: %w", pipeline.ErrConfig)
	}
	return nil
}

// fold names a request's outcome for a metric: 200, 400, 401, 403, 429, 5xx,
// and error for everything else: no answer, a body or a link that was refused,
// a redirect, 404 and other odd statuses.
func fold(status int, err error) string {
	switch {
	case status == http.StatusOK && err == nil:
		return "200"
	case status == 400, status == 401, status == 403, status == 429:
		return fmt.Sprint(status)
	case status >= 500 && status <= 599:
		return "5xx"
	}
	return "error"
}

// waits tells of a wait for the budget. Only the live poll's says how the instance is.
func (c *Client) waits(until time.Time) {
	if c.Trace != nil && c.Trace.Waits != nil && !c.Later {
		c.Trace.Waits(c.Instance, until)
	}
}

func (c *Client) requested(code string, took time.Duration) {
	if c.Trace != nil && c.Trace.Requested != nil {
		c.Trace.Requested(c.Instance, code, took)
	}
}

// drift reports members that are not what is documented: published and eventType.
func (c *Client) drift(events []pipeline.Event) {
	if c.Trace == nil || c.Trace.Drift == nil {
		return
	}
	for i := range events {
		if events[i].Flaw != "" {
			continue
		}
		if events[i].Published.IsZero() {
			c.Trace.Drift("published")
		}
		if events[i].Type == "" {
			c.Trace.Drift("eventType")
		}
	}
}

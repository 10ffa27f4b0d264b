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
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/page"
)

// Client requests the pages of one org's System Log. Set Instance, Origin and Credential; the
// zero value of every other field is its default. It has one request in flight: Poll is
// not safe for concurrent use. The fields must not change after the first Poll.
type Client struct {
	Instance   string
	Origin     string              // https://acme.okta.com; no other host gets a request
	Credential pipeline.Credential // an API token: a pipeline.Secret; or a service app: an oauth.App
	Session    *source.Session     // the credential's; nil: the Client's own
	LinkHosts  []string            // further hosts that a next link may name; requests go to Origin all the same
	Limit      int                 // elements requested by a link; 0: 999

	Limiter *limiter.Limiter // the org's, shared by all of its instances; nil: the Client's own
	Share   float64          // of the org's limit, above 0, at most 1; 0: 0.5
	HTTP    *http.Client     // nil: source.NewHTTPClient(). Its Jar and CheckRedirect are ignored
	Timeout time.Duration    // one request with its body, without waiting for other requests; 0: 60 s
	MaxBody int64            // bytes of a body, inflated; 0: page.DefaultMost

	// Bounds shared by all clients of the process; nil: none. A client at the head of its log
	// goes before all others, unless it is Later; so it is in the Limiter.
	InFlight *pipeline.Gate // requests
	Memory   *pipeline.Gate // bytes of pages, from the first byte of a body until the page is released
	Later    bool           // for requests that are not urgent: those for the past

	// Interval between polls at the head of the log; 0: not known. Where it is longer than
	// idle connections are kept, none is: a poll at the head closes its own.
	Interval time.Duration

	Trace     *pipeline.Trace // nil: none
	UserAgent string          // empty: signal-client

	once     sync.Once
	trace    *pipeline.Trace // none of its hooks is nil
	http     http.Client     // carries no credential
	signed   http.Client     // carries it
	auth     auth            // of signed
	unfit    error           // what is wrong with the app's key; nil: nothing
	shrinker pageShrinker
	heavy    heavy
	size     int  // size of the previous body
	quiet    bool // the previous page showed no waiting events
}

var _ pipeline.Source = (*Client)(nil)

// Poll waits for the org's budget and for its turn among the process's requests, requests
// the link's page and reads it completely. The caller releases the page's Memory.
//
// Its errors are those of pipeline.Source; Okta's answer is an *Error in the chain.
// Transient errors include a status 200 whose body is broken, cut short or too large, and
// a next link to another host: there is no page, and the caller's position stays. The
// page's events share one buffer.
func (c *Client) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	c.once.Do(c.withDefaults)
	asked := c.heavy.apply(c.shrinker.apply(link))
	if err := c.check(asked); err != nil {
		return pipeline.Page{}, err
	}
	page, err := c.ask(ctx, link, asked)
	if err != nil {
		return page, err
	}
	c.shrinker, c.quiet = pageShrinker{}, !moreWaits(page)
	c.heavy.arrived(link)
	page.Link = link
	if asked != link && page.Next == asked {
		page.Next = link // the link did not move
	} else if asked != link {
		page.Next = restoreLimit(page.Next, LimitOf(asked), c.Limit)
	}
	c.drift(page.Events)
	return page, nil
}

// ask requests a page, and again if its access token or proof is refused and another may not
// be: the link stays the same, so no event is lost or doubled.
func (c *Client) ask(ctx context.Context, link, asked pipeline.Link) (pipeline.Page, error) {
	for repeated := false; ; repeated = true {
		fresh, err := c.authorise(ctx)
		if err != nil {
			return pipeline.Page{}, err
		}
		release, err := c.wait(ctx)
		if err != nil {
			return pipeline.Page{}, err
		}
		page, err := c.get(ctx, asked)
		release()
		if err == nil {
			return page, nil
		}
		if c.again(err, fresh, repeated) {
			continue
		}
		c.shrinker.failed(link, asked, err)
		c.heavy.failed(asked, err)
		return pipeline.Page{Date: page.Date}, fmt.Errorf("ask %s: %w", c.Origin, c.readable(err))
	}
}

// moreWaits reports whether more events wait behind a page, as far as it shows: it is full, or
// its newest event is old. Orgs may send fewer elements than requested.
func moreWaits(page pipeline.Page) bool {
	if page.Full || len(page.Events) == 0 || page.Date.IsZero() {
		return page.Full
	}
	edge := page.Date.Add(-oldNews)
	return !slices.ContainsFunc(page.Events, func(e pipeline.Event) bool { return e.Published.After(edge) })
}

// oldNews is older than any event that an org serves first at the head of its log.
const oldNews = 15 * time.Minute

// rank is the urgency of the next request; before the first page, events may be waiting.
func (c *Client) rank() limiter.Rank {
	switch {
	case c.Later:
		return limiter.Past
	case c.quiet:
		return limiter.Head
	}
	return limiter.Drain
}

// drains reports whether other clients of the process go first.
func (c *Client) drains() bool { return c.rank() != limiter.Head }

func (c *Client) withDefaults() {
	c.Limit = cmp.Or(c.Limit, DefaultLimit)
	c.Share = cmp.Or(c.Share, 0.5)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.MaxBody = cmp.Or(c.MaxBody, page.DefaultMost)
	c.UserAgent = cmp.Or(c.UserAgent, "signal-client")
	c.trace = pipeline.Traces(c.Trace)
	c.Limiter = cmp.Or(c.Limiter, new(limiter.Limiter))
	if c.HTTP == nil {
		c.HTTP = source.NewHTTPClient()
	}
	c.http = *c.HTTP
	c.http.Jar = nil
	c.http.CheckRedirect = source.NoRedirect
	c.sign()
}

// check refuses requests that can't be sent. A stored link is not trusted: appended to
// the origin, one that starts with "@" or "." would name another host.
func (c *Client) check(link pipeline.Link) error {
	if !isLogs(string(link)) {
		return fmt.Errorf("link %.100q is not a path to %s: %w", string(link), logsPath, pipeline.ErrConfig)
	}
	if c.unfit != nil {
		return fmt.Errorf("the app's private key %w: %w", c.unfit, pipeline.ErrConfig)
	}
	if token := c.auth.token.Reveal(); c.auth.session == nil && (token == "" || !printable(token)) {
		return fmt.Errorf("api_token is empty or holds characters that no token has; set it anew: %w", pipeline.ErrConfig)
	}
	return nil
}

// fold returns a request's outcome for a metric: 200, 400, 401, 403, 429, 5xx, or error for all
// else: no answer, a refused body or link, a redirect and other unusual statuses.
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

// waits reports a wait for the budget, of live polls only: it is the instance's state.
func (c *Client) waits(until time.Time) {
	if !c.Later {
		c.trace.Waits(c.Instance, until)
	}
}

// drift reports members that differ from Okta's documentation: published and eventType.
func (c *Client) drift(events []pipeline.Event) {
	for i := range events {
		e := &events[i]
		if e.Flaw == "" && e.Published.IsZero() {
			c.trace.Drift("published")
		}
		if e.Flaw == "" && e.Type == "" {
			c.trace.Drift("eventType")
		}
	}
}

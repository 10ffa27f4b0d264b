package okta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/limiter"
	"github.com/witfoo/signal-client/source/okta/oauth"
	"github.com/witfoo/signal-client/source/page"
)

// auth authorises requests: by an API token (SSWS), or by the access token of a service app.
// It is an http.RoundTripper below everything that counts requests: they have gone through
// the Limiter.
type auth struct {
	token   pipeline.Secret // the API token; zero: session has a token
	session *oauth.Session
	next    http.RoundTripper

	used pipeline.Secret // the access token of the newest request
}

// RoundTrip implements http.RoundTripper.
func (a *auth) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if a.session == nil {
		req.Header.Set("Authorization", "SSWS "+a.token.Reveal())
		return a.next.RoundTrip(req)
	}
	var err error
	if a.used, err = a.session.Sign(req); err != nil {
		return nil, err
	}
	resp, err := a.next.RoundTrip(req)
	if err == nil {
		a.session.Learn(resp.StatusCode, resp.Header)
	}
	return resp, err
}

// sign makes the clients that authorise requests of the one that does not. A key that
// can't be used is told by check.
func (c *Client) sign() {
	c.auth = auth{next: cmp.Or(c.http.Transport, http.DefaultTransport)}
	switch credential := c.Credential.(type) {
	case pipeline.Secret:
		c.auth.token = credential
	case oauth.App:
		made := source.Hold(c.Session, func() session {
			s, err := oauth.NewSession(credential, c.Origin)
			return session{s, err}
		})
		c.auth.session, c.unfit = made.Session, made.err
	}
	c.signed = c.http
	c.signed.Transport = &c.auth
}

// session is an app's, or what is wrong with its key.
type session struct {
	*oauth.Session
	err error
}

// authorise sees to an access token for the next request. fresh: it was asked for now.
func (c *Client) authorise(ctx context.Context) (fresh bool, err error) {
	if c.auth.session == nil {
		return false, nil
	}
	fresh, err = c.auth.session.Ensure(ctx, c.askToken)
	if refused, ok := errors.AsType[*oauth.Refused](err); ok {
		e := decodeError(refused.Status, refused.Header, refused.Body)
		e.App, e.Grant = true, true
		e.OAuth, e.Summary = clean(refused.Code, maxName), cmp.Or(clean(refused.Description, maxText), e.Summary)
		e.Kind = kindOfGrant(e)
		err = e
	}
	if err != nil {
		return false, fmt.Errorf("ask %s for %w: %w", c.Origin, errToken, err)
	}
	return fresh, nil
}

// errToken marks failures of requests for an access token.
var errToken = errors.New("an access token")

// kindOfGrant is kind for requests for an access token. What OAuth 2.0 refuses by status 400
// is the credential.
func kindOfGrant(e *Error) error {
	switch {
	case e.Status == http.StatusOK && e.OAuth != oauth.InvalidScope:
		return nil
	case e.Status == http.StatusOK, e.Status == http.StatusBadRequest && e.OAuth != "":
		return pipeline.ErrCredential
	}
	return kind(e, logsPath)
}

// askToken sends one request for an access token. It counts as one of the org's, whose
// answer shows no budget of the System Log.
func (c *Client) askToken(ctx context.Context, form url.Values, proof string) (oauth.Answer, error) {
	release, err := c.wait(ctx)
	if err != nil {
		return oauth.Answer{}, err
	}
	defer release()
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, source.ErrLate)
	defer cancel()
	a, err := c.postToken(ctx, form, proof)
	if a.Status == http.StatusTooManyRequests {
		h := http.Header{"Retry-After": a.Header.Values("Retry-After"), "Date": a.Header.Values("Date")}
		c.Limiter.Observe(limiter.Request{}, a.Status, h) // which holds all requests back
		return a, err
	}
	c.Limiter.Failed()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return a, err
}

func (c *Client) postToken(ctx context.Context, form url.Values, proof string) (oauth.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Origin+oauth.TokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		return oauth.Answer{}, fmt.Errorf("make request: %w: %w", err, pipeline.ErrConfig)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("DPoP", proof)
	req.GetBody = nil // an assertion is sent once
	var progress source.Progress
	resp, err := c.http.Do(req.WithContext(httptrace.WithClientTrace(ctx, progress.Trace())))
	if err != nil {
		return oauth.Answer{}, c.readable(progress.Failed(err))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := page.Read(ctx, resp, 0, &page.Reservation{Most: maxRefuse})
	if resp.StatusCode != http.StatusOK {
		err = nil // the status decides
	}
	a := oauth.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
	if resp.StatusCode != http.StatusOK {
		for _, secret := range []string{form.Get("client_assertion"), proof} {
			a.Body = []byte(strings.ReplaceAll(string(a.Body), secret, pipeline.Secret{}.String()))
		}
	}
	return a, err
}

// wait waits for the org's budget, and for the client's turn among the process's requests.
// The Limiter is to be told of the request's end.
func (c *Client) wait(ctx context.Context) (release func(), err error) {
	if err := c.Limiter.Wait(ctx, limiter.Request{Share: c.Share, Rank: c.rank(), Credential: c.Credential, Waits: c.waits}); err != nil {
		return nil, fmt.Errorf("wait for budget of %s: %w", c.Origin, err)
	}
	slot, err := c.InFlight.Take(ctx, 1, c.drains())
	if err != nil {
		c.Limiter.Failed()
		return nil, fmt.Errorf("wait for other requests: %w", err)
	}
	return slot.Release, nil
}

// again reports whether a request that failed is to be repeated: once, with a new proof, or
// with a new access token, unless the one refused was new already. A token that is refused
// is not used again.
func (c *Client) again(err error, fresh, repeated bool) bool {
	e, refused := errors.AsType[*Error](err)
	if !refused || c.auth.session == nil {
		return false
	}
	proof := e.proofRefused()
	if !proof && e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		return false
	}
	if !proof || repeated {
		c.auth.session.Drop(c.auth.used)
	}
	return !repeated && (proof || e.Status == http.StatusUnauthorized && !fresh)
}

// secrets are what no text of an error may show.
func (c *Client) secrets() []pipeline.Secret {
	return []pipeline.Secret{c.auth.token, c.auth.used}
}

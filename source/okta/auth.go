package okta

import (
	"cmp"
	"net/http"

	"github.com/witfoo/signal-client/pipeline"
)

// auth authorises requests, by an API token so far (SSWS). It is an http.RoundTripper below
// everything that counts requests: they have gone through the Limiter.
type auth struct {
	token pipeline.Secret
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (a *auth) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "SSWS "+a.token.Reveal())
	return a.next.RoundTrip(req)
}

// authorised returns a copy of an http.Client that authorises its requests.
func authorised(c http.Client, token pipeline.Secret) http.Client {
	c.Transport = &auth{token: token, next: cmp.Or(c.Transport, http.DefaultTransport)}
	return c
}

package oktatest

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// TokenPath is where service apps get access tokens.
const TokenPath = "/oauth2/v1/token"

const (
	logsScope     = "okta.logs.read"
	tokenLife     = time.Hour // fixed, of every token
	assertionMost = time.Hour // how far ahead an assertion may expire
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// App is a service app of the org: a client that gets access tokens by assertions that it
// signs. Source: Okta's guides for service apps and DPoP, read 2026-08-21.
type App struct {
	ClientID string
	Keys     map[string]crypto.PublicKey // by kid

	DPoP      bool // a token request needs a proof
	Bearer    bool // proofs are ignored: its tokens are bearer tokens
	LogsNonce bool // the System Log demands a nonce in proofs, too

	NoScope bool // okta.logs.read is not granted to it
	NoRole  bool // it has no admin role
	OffZone bool // its requests come from outside its network zones
}

// oauth is the org's authorization server.
type oauth struct {
	apps   map[string]App
	grants map[string]grant // by access token
	used   map[string]bool  // ids of assertions and proofs
	epoch  uint64           // of nonces
	serial uint64           // of tokens
}

// grant is what an access token stands for.
type grant struct {
	client string
	key    string // thumbprint of the key that it is bound to; empty: a bearer token
	until  time.Time
}

// Register adds a service app, or replaces the one of its ClientID, such as by one with
// other keys. Tokens that it has stay valid.
func (o *Org) Register(app App) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.oauth.apps == nil {
		o.oauth = oauth{apps: map[string]App{}, grants: map[string]grant{}, used: map[string]bool{}}
	}
	o.oauth.apps[app.ClientID] = app
}

// ExpireTokens ends the life of all access tokens.
func (o *Org) ExpireTokens() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.oauth.grants)
}

// RenewNonces makes the org refuse all nonces that it has given out.
func (o *Org) RenewNonces() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.oauth.epoch++
}

// nonceDays is for how many days a nonce is accepted after its own.
const nonceDays = 3

// nonce returns the nonce that was new some days ago.
func (o *Org) nonce(now time.Time, ago uint64) string {
	day := uint64(now.Unix())/86400 - ago
	return hex.EncodeToString(binaryOf(mix(o.config.Seed ^ mix(o.oauth.epoch<<32^day))))
}

func (o *Org) acceptsNonce(nonce string, now time.Time) bool {
	for ago := range uint64(nonceDays + 1) {
		if nonce == o.nonce(now, ago) {
			return true
		}
	}
	return false
}

// grantToken answers a request for an access token.
func (o *Org) grantToken(a *answer, r *http.Request, now time.Time) {
	// The endpoint has a limit of its own.
	a.header.Set("X-Rate-Limit-Limit", "2000")
	a.header.Set("X-Rate-Limit-Remaining", "1999")
	a.header.Set("X-Rate-Limit-Reset", "1")
	form := r.ParseForm()
	o.mu.Lock()
	defer o.mu.Unlock()
	if form != nil {
		a.refuse(oauthError(http.StatusBadRequest, "invalid_request", "The request body can't be read."))
		return
	}
	token, kind, err := o.mint(r, now, a.header)
	if err != nil {
		o.stats.GrantsRefused++
		a.refuse(err)
		return
	}
	o.stats.Grants++
	a.body, _ = json.Marshal(map[string]any{
		"token_type": kind, "expires_in": int(tokenLife.Seconds()), "access_token": token, "scope": logsScope,
	})
}

// mint makes an access token and returns it with its type.
func (o *Org) mint(r *http.Request, now time.Time, h http.Header) (token, kind string, err *apiError) {
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		return "", "", oauthError(http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")
	case r.PostForm.Get("client_assertion_type") != assertionType:
		return "", "", oauthError(http.StatusBadRequest, "invalid_client", "The client_assertion_type is invalid.")
	}
	app, err := o.assertion(r.PostForm.Get("client_assertion"), o.origin(r)+TokenPath, now)
	if err != nil {
		return "", "", err
	}
	if app.OffZone {
		return "", "", oauthError(http.StatusForbidden, "access_denied", "The request is made from outside the client's permitted network zones.")
	}
	if r.PostForm.Get("scope") != logsScope || app.NoScope {
		return "", "", oauthError(http.StatusBadRequest, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
	}
	g := grant{client: app.ClientID, until: now.Add(tokenLife)}
	if proofs := r.Header.Values("DPoP"); !app.Bearer && (app.DPoP || len(proofs) > 0) {
		if g.key, err = o.proof(proofs, r, "", true, now, h); err != nil {
			return "", "", err
		}
	}
	o.oauth.serial++
	token = "eyJraWQiOiJ" + hex.EncodeToString(binaryOf(mix(o.config.Seed^mix(o.oauth.serial)))) + "." + hex.EncodeToString(binaryOf(mix(o.oauth.serial)))
	o.oauth.grants[token] = g
	if g.key != "" {
		return token, "DPoP", nil
	}
	return token, "Bearer", nil
}

// assertion returns the app that a client assertion is of, if it is valid.
func (o *Org) assertion(text, audience string, now time.Time) (App, *apiError) {
	refused := func(why string) (App, *apiError) {
		return App{}, oauthError(http.StatusUnauthorized, "invalid_client", why)
	}
	signed, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return refused("The client_assertion token is malformed, or its signing algorithm is not supported.")
	}
	var c jwt.Claims
	if signed.UnsafeClaimsWithoutVerification(&c) != nil {
		return refused("The client_assertion token is malformed.")
	}
	app, known := o.oauth.apps[c.Issuer]
	if !known || c.Subject != c.Issuer {
		return refused("Invalid value for 'client_id' parameter.")
	}
	key, known := app.Keys[signed.Headers[0].KeyID]
	switch {
	case !known:
		return refused("The client_assertion JWT kid is invalid.")
	case signed.Claims(key, &c) != nil:
		return refused("The client_assertion signature is invalid.")
	case len(c.Audience) != 1 || c.Audience[0] != audience:
		return refused("The audience claim for client_assertion must be the endpoint invoked for the request.")
	case c.Expiry == nil || !c.Expiry.Time().After(now):
		return refused("The client_assertion token has an expiration that is in the past.")
	case c.Expiry.Time().After(now.Add(assertionMost)):
		return refused("The client_assertion token has an expiration that is set too far into the future.")
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now):
		return refused("The client_assertion token was issued in the future.")
	case !o.firstUse("assertion", c.ID):
		return refused("The client_assertion token has already been used.")
	}
	return app, nil
}

// firstUse records the id of an assertion or a proof.
func (o *Org) firstUse(kind, id string) bool {
	used := o.oauth.used[kind+id]
	o.oauth.used[kind+id] = id != ""
	return !used
}

// algorithms are those that Okta accepts, for assertions and for proofs.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// oauthError is an error in the form of OAuth 2.0.
func oauthError(status int, code, description string) *apiError {
	data, _ := json.Marshal(map[string]string{"error": code, "error_description": description})
	raw := string(data)
	return &apiError{status: status, raw: &raw}
}

package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/witfoo/signal-client/pipeline"
)

// OIDC is an OpenID Connect provider, such as an Okta org. Users log in by the code flow
// with PKCE. It must not be copied.
type OIDC struct {
	Issuer     string
	ClientID   string
	Secret     func() (pipeline.Secret, error) // the client's; read at each login
	AdminGroup string                          // whose members are admins; empty: all users are viewers
	HTTP       *http.Client                    // nil: one with a timeout

	mu       sync.Mutex
	provider *oidc.Provider // nil: not discovered yet
}

// The paths of a login.
const (
	oidcPath     = "/login/oidc"
	callbackPath = "/login/oidc/callback"
)

// flowTime is how long a user may take to log in at the provider.
const flowTime = 10 * time.Minute

// oidcTime bounds all requests to the provider of one step.
const oidcTime = 15 * time.Second

// flow is a login under way. The user's own browser keeps it, in a cookie.
type flow struct {
	State, Nonce, Verifier, Next string
}

// discover returns the provider, which it asks for its endpoints until it has answered
// once.
func (o *OIDC) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	known := o.provider
	o.mu.Unlock()
	if known != nil {
		return known, nil
	}
	p, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", o.Issuer, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.provider = p
	return p, nil
}

// client returns what the provider knows this console as.
func (o *OIDC) client(p *oidc.Provider, back string) (*oauth2.Config, error) {
	c := &oauth2.Config{ClientID: o.ClientID, Endpoint: p.Endpoint(), RedirectURL: back, Scopes: scopes(p)}
	if o.Secret != nil {
		secret, err := o.Secret()
		if err != nil {
			return nil, err
		}
		c.ClientSecret = secret.Reveal()
	}
	return c, nil
}

// scopes are what is asked for: groups only where the provider offers that scope, because
// some refuse one that they don't know.
func scopes(p *oidc.Provider) []string {
	var offers struct {
		Scopes []string `json:"scopes_supported"`
	}
	asked := []string{oidc.ScopeOpenID, "profile", "email"}
	if p.Claims(&offers) == nil && slices.Contains(offers.Scopes, "groups") {
		asked = append(asked, "groups")
	}
	return asked
}

// context returns the request's context for requests to the provider.
func (o *OIDC) context(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(r.Context(), oidcTime)
	client := o.HTTP
	if client == nil {
		client = &http.Client{Timeout: oidcTime}
	}
	return oidc.ClientContext(ctx, client), cancel
}

// beginOIDC sends the browser to the provider.
func (a *Access) beginOIDC(w http.ResponseWriter, r *http.Request) {
	o := a.config.OIDC
	if o == nil {
		a.Refuse(w, r, Refusal{Status: http.StatusNotFound, Title: "There is no such page", Cause: "There is no single sign-on here."})
		return
	}
	ctx, cancel := o.context(r)
	defer cancel()
	provider, err := o.discover(ctx)
	if err != nil {
		a.providerFailed(w, r, err)
		return
	}
	client, err := o.client(provider, a.base(r)+callbackPath)
	if err != nil {
		a.providerFailed(w, r, err)
		return
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: localPath(r.URL.Query().Get("next"))}
	data, err := json.Marshal(f)
	if err != nil {
		a.providerFailed(w, r, err)
		return
	}
	http.SetCookie(w, a.flowCookie(base64.RawURLEncoding.EncodeToString(data), int(flowTime.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, client.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
}

// endOIDC takes the provider's answer and begins a session.
func (a *Access) endOIDC(w http.ResponseWriter, r *http.Request) {
	o := a.config.OIDC
	f, ok := a.readFlow(r)
	if o == nil || !ok || subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("state")), []byte(f.State)) != 1 {
		a.Refuse(w, r, Refusal{Status: http.StatusBadRequest, Title: "Login not completed", Cause: "This login was not begun in this browser within the last 10 minutes.", Remedy: "Log in again at /login."})
		return
	}
	http.SetCookie(w, a.flowCookie("", -1))
	if refused := r.URL.Query().Get("error"); refused != "" {
		a.log.Warn("console: a login was refused by the provider", "error", refused, "description", r.URL.Query().Get("error_description"))
		a.Refuse(w, r, Refusal{Status: http.StatusForbidden, Title: "Login refused", Cause: "The provider says: " + short(cmp.Or(r.URL.Query().Get("error_description"), refused)), Remedy: "Ask the provider's admin to assign you to this application."})
		return
	}
	ctx, cancel := o.context(r)
	defer cancel()
	user, err := o.exchange(ctx, r.URL.Query().Get("code"), a.base(r)+callbackPath, f)
	if err != nil {
		a.providerFailed(w, r, err)
		return
	}
	if err := a.begin(w, r, user, ""); err != nil {
		a.unknown(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, localPath(f.Next), http.StatusSeeOther)
}

// claims are what is read of a user.
type claims struct {
	Name   string `json:"preferred_username"`
	Email  string `json:"email"`
	Groups any    `json:"groups"` // a list of names, or one name
}

// exchange trades a code for the user: the ID token's signature, issuer, audience, expiry
// and nonce are checked.
func (o *OIDC) exchange(ctx context.Context, code, back string, f flow) (User, error) {
	provider, err := o.discover(ctx)
	if err != nil {
		return User{}, err
	}
	client, err := o.client(provider, back)
	if err != nil {
		return User{}, err
	}
	tokens, err := client.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return User{}, fmt.Errorf("trade the code for a token: %w", err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return User{}, errors.New("the provider's answer has no ID token")
	}
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: o.ClientID}).Verify(ctx, raw)
	if err != nil {
		return User{}, fmt.Errorf("check the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1 {
		return User{}, errors.New("the ID token is another login's: its nonce is wrong")
	}
	var c claims
	if err := token.Claims(&c); err != nil {
		return User{}, fmt.Errorf("read the ID token: %w", err)
	}
	o.complete(ctx, provider, tokens, token.Subject, &c)
	name := short(cmp.Or(c.Name, c.Email, token.Subject))
	return User{Name: name, Role: roleOf(names(c.Groups), o.AdminGroup), Via: ViaOIDC}, nil
}

// complete asks for what a thin ID token leaves out. Without an answer the user is who
// the token says.
func (o *OIDC) complete(ctx context.Context, provider *oidc.Provider, tokens *oauth2.Token, subject string, c *claims) {
	if c.Groups != nil && c.Name != "" || provider.UserInfoEndpoint() == "" {
		return
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	var more claims
	if err != nil || info.Subject != subject || info.Claims(&more) != nil {
		return
	}
	c.Name, c.Email = cmp.Or(c.Name, more.Name), cmp.Or(c.Email, more.Email)
	if c.Groups == nil {
		c.Groups = more.Groups
	}
}

// names returns the names of a claim.
func names(claim any) []string {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []any:
		var all []string
		for _, one := range claim {
			if name, ok := one.(string); ok {
				all = append(all, name)
			}
		}
		return all
	}
	return nil
}

// providerFailed answers when the provider did not let the user in. The log has the
// cause, which may name what a user must not read.
func (a *Access) providerFailed(w http.ResponseWriter, r *http.Request, err error) {
	a.log.Warn("console: single sign-on failed", "issuer", a.config.OIDC.Issuer, "err", err)
	a.Refuse(w, r, Refusal{Status: http.StatusBadGateway, Title: "Single sign-on failed", Cause: "The provider did not answer as expected. The log of this process says how.", Remedy: "Log in again at /login."})
}

// base returns the address by which the browser reaches the console.
func (a *Access) base(r *http.Request) string {
	switch {
	case a.config.URL != "":
		return a.config.URL
	case a.secure():
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (a *Access) flowCookie(value string, age int) *http.Cookie {
	c := a.cookie(value, age)
	c.Name += "-oidc"
	return c
}

// readFlow returns the login that the browser has begun.
func (a *Access) readFlow(r *http.Request) (f flow, ok bool) {
	c, err := r.Cookie(a.cookieName() + "-oidc")
	if err != nil {
		return f, false
	}
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	return f, err == nil && json.Unmarshal(data, &f) == nil && f.State != "" && f.Nonce != ""
}

// short cuts a text of another's to what a page or a log line takes.
func short(text string) string {
	if runes := []rune(text); len(runes) > mostUserName {
		return string(runes[:mostUserName])
	}
	return text
}

package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/witfoo/signal-client/pipeline"
)

// TokenPath is where an org's own authorization server gives access tokens.
const TokenPath = "/oauth2/v1/token"

// Scope is what tokens are for.
const Scope = "okta.logs.read"

// Session holds the access token of one app at one org, which all of its clients in a process
// share, and the key that the token is bound to. It is safe for concurrent use.
type Session struct {
	app    App
	origin string
	signer jose.Signer // of assertions
	prover jose.Signer // of proofs: its key lives as long as the Session

	turn chan struct{} // holds one: who asks for a token

	mu         sync.Mutex
	token      token
	tokenNonce string        // for the next token request
	logsNonce  string        // for the next other request; empty: none was demanded
	skew       time.Duration // how far the org's clock is ahead of this machine's
}

// token is an access token.
type token struct {
	value pipeline.Secret // zero: there is none
	bound bool            // to the Session's key
	renew time.Time       // when a new one is asked for
	ends  time.Time
}

// NewSession returns a Session without a token. Its error says what is wrong with the key.
func NewSession(app App, origin string) (*Session, error) {
	key, err := app.signingKey()
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("can't sign: %w", err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for proofs: %w", err)
	}
	prover, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: own}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, fmt.Errorf("can't sign proofs: %w", err)
	}
	return &Session{app: app, origin: origin, signer: signer, prover: prover, turn: make(chan struct{}, 1)}, nil
}

// Answer is the answer to a token request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Ask posts a form with a proof to TokenPath of the org.
type Ask func(ctx context.Context, form url.Values, proof string) (Answer, error)

// Ensure sees to a token that is good for the next request: it asks for one if there is none,
// or if four fifths of its life are over. fresh: the token was made by this call. Callers
// wait for one another. A failure that is no refusal is no error while the old token lives.
// Its error is ask's, ctx's cause, or a *Refused.
func (s *Session) Ensure(ctx context.Context, ask Ask) (fresh bool, err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if s.good(time.Now()) {
		return false, nil
	}
	t, err := s.request(ctx, ask)
	if err != nil && ctx.Err() == nil && s.bridge(time.Now(), err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = t
	return true, nil
}

func (s *Session) good(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.token.value.IsZero() && now.Before(s.token.renew)
}

const (
	// bridgeTime is how soon a token request that failed is repeated while the old token lives.
	bridgeTime = time.Minute
	// bridgeLeft is the life that an old token must have left for that.
	bridgeLeft = 2 * time.Minute
)

// bridge puts off a failed renewal while the old token lives, and reports whether it does.
func (s *Session) bridge(now time.Time, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused, ok := err.(*Refused); ok && !refused.transient() || s.token.value.IsZero() || s.token.ends.Sub(now) < bridgeLeft {
		return false
	}
	s.token.renew = now.Add(bridgeTime)
	return true
}

// Drop forgets a token that the org has refused, unless there is another one already.
func (s *Session) Drop(refused pipeline.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.value == refused {
		s.token = token{}
	}
}

// Token returns the current access token; zero: there is none.
func (s *Session) Token() pipeline.Secret {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.value
}

// Sign authorises a request by the current token, and returns that.
func (s *Session) Sign(req *http.Request) (pipeline.Secret, error) {
	if at := req.URL.Scheme + "://" + req.URL.Host; at != s.origin {
		return pipeline.Secret{}, fmt.Errorf("request to %s is not for %s: the token stays here", at, s.origin)
	}
	s.mu.Lock()
	t, nonce := s.token, s.logsNonce
	s.mu.Unlock()
	if !t.bound {
		req.Header.Set("Authorization", "Bearer "+t.value.Reveal())
		return t.value, nil
	}
	proof, err := s.proof(req.Method, req.URL.Path, nonce, t.value.Reveal())
	if err != nil {
		return pipeline.Secret{}, err
	}
	req.Header.Set("Authorization", "DPoP "+t.value.Reveal())
	req.Header.Set("DPoP", proof)
	return t.value, nil
}

// Learn reads the nonce for the next requests from an answer of another endpoint, and if it
// is a refusal, the org's time.
func (s *Session) Learn(status int, h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if nonce := h.Get("DPoP-Nonce"); nonce != "" {
		s.logsNonce = nonce
	}
	if status >= 400 {
		s.correct(h)
	}
}

// clockError is how far this machine's clock may be off: a Date is cut to seconds.
const clockError = 3 * time.Second

// correct takes the org's time from an answer, and reports whether it is another one.
func (s *Session) correct(h http.Header) bool {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return false
	}
	skew := time.Until(date) + time.Second/2
	if skew.Abs() <= clockError {
		skew = 0
	}
	if (skew - s.skew).Abs() <= clockError {
		return false
	}
	s.skew = skew
	return true
}

// now returns the org's time.
func (s *Session) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.skew)
}

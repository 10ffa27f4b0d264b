package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/witfoo/signal-client/pipeline"
)

const (
	// tries is how often a token is asked for in a row: the first try, one with the nonce
	// that the org demands, and one by the org's clock.
	tries = 3
	// back is how far before now JWTs are issued: Okta refuses those of the future.
	back = 5 * time.Second
	// assertionLife is how long an assertion is valid. Okta allows an hour.
	assertionLife = 5 * time.Minute
	// tokenLife is the life of a token whose answer does not say it.
	tokenLife = time.Hour
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// request asks for a token. Each try has a new assertion and a new proof: Okta refuses both
// when they are used again. The proof is there from the first try, because a request
// without one is a failed grant in the org's log where the app needs one.
func (s *Session) request(ctx context.Context, ask Ask) (token, error) {
	for try := 1; ; try++ {
		form, proof, err := s.form()
		if err != nil {
			return token{}, err
		}
		began := time.Now()
		a, err := ask(ctx, form, proof)
		if err != nil {
			return token{}, err
		}
		another := s.learn(a)
		if a.Status == http.StatusOK {
			return read(a, began)
		}
		refused := &Refused{Answer: a}
		if refused.Code, refused.Description = ReadError(a.Header, a.Body); try == tries || !another || !refused.curable() {
			return token{}, refused
		}
	}
}

// learn reads nonce and time from an answer, and reports whether another try differs.
func (s *Session) learn(a Answer) (another bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if nonce := a.Header.Get("DPoP-Nonce"); nonce != "" && nonce != s.tokenNonce {
		s.tokenNonce, another = nonce, true
	}
	if a.Status != http.StatusOK && s.correct(a.Header) {
		another = true
	}
	return another
}

// form returns a token request and its proof.
func (s *Session) form() (url.Values, string, error) {
	now := s.now()
	assertion, err := jwt.Signed(s.signer).Claims(jwt.Claims{
		ID:       rand.Text(),
		Issuer:   s.app.ClientID,
		Subject:  s.app.ClientID,
		Audience: jwt.Audience{s.origin + TokenPath},
		IssuedAt: jwt.NewNumericDate(now.Add(-back)),
		Expiry:   jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
	if err != nil {
		return nil, "", fmt.Errorf("sign assertion: %w", err)
	}
	s.mu.Lock()
	nonce := s.tokenNonce
	s.mu.Unlock()
	proof, err := s.proof(http.MethodPost, TokenPath, nonce, "")
	return url.Values{
		"grant_type":            {"client_credentials"},
		"scope":                 {Scope},
		"client_assertion_type": {assertionType},
		"client_assertion":      {assertion},
	}, proof, err
}

// proof returns a DPoP proof (RFC 9449) for one request. nonce and token may be empty.
func (s *Session) proof(method, at, nonce, token string) (string, error) {
	claims := map[string]any{
		"jti": rand.Text(),
		"htm": method,
		"htu": s.origin + path.Clean(at),
		"iat": s.now().Add(-back).Unix(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof, err := jwt.Signed(s.prover).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign proof: %w", err)
	}
	return proof, nil
}

// read reads the answer to a request that began at a time.
func read(a Answer, began time.Time) (token, error) {
	var said struct {
		Type  string  `json:"token_type"`
		Life  float64 `json:"expires_in"`
		Token string  `json:"access_token"`
		Scope string  `json:"scope"`
	}
	refused := &Refused{Answer: a, Code: "invalid_answer"}
	if err := json.Unmarshal(a.Body, &said); err != nil {
		refused.Description = "the answer is no JSON object"
		return token{}, refused
	}
	bound := strings.EqualFold(said.Type, "DPoP")
	switch {
	case said.Token == "" || strings.ContainsFunc(said.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		refused.Description = "the answer holds no access token"
	case !bound && !strings.EqualFold(said.Type, "Bearer"):
		refused.Description = fmt.Sprintf("the token is of the unknown type %.20q", said.Type)
	case said.Scope != "" && !slices.Contains(strings.Fields(said.Scope), Scope):
		refused.Code, refused.Description = "invalid_scope", "the token is not for "+Scope
	default:
		life := time.Duration(min(cmp.Or(max(said.Life, 0), tokenLife.Seconds()), 24*3600) * float64(time.Second))
		return token{value: pipeline.NewSecret(said.Token), bound: bound, renew: began.Add(life / 5 * 4), ends: began.Add(life)}, nil
	}
	return token{}, refused
}

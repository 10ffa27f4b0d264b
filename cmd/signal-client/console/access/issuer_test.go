package access

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// issuer is a small OpenID Connect provider.
type issuer struct {
	*testing.T
	server *httptest.Server
	key    *rsa.PrivateKey

	mu        sync.Mutex
	challenge string         // of the login under way
	claims    map[string]any // of the next ID token
	info      map[string]any // of the user info; nil: there is none
	alg       string         // of the next ID token
	signer    *rsa.PrivateKey
}

const issuerClient, issuerSecret = "console", "client secret"

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{T: t, key: key, signer: key, alg: "RS256"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.server.URL, "authorization_endpoint": i.server.URL + "/authorize", "token_endpoint": i.server.URL + "/token",
			"jwks_uri": i.server.URL + "/keys", "userinfo_endpoint": i.server.URL + "/userinfo",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid", "groups"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.info == nil || r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(i.info)
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

// token trades the code, if the verifier fits the challenge.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	if id == "" {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if id != issuerClient || secret != issuerSecret || r.PostFormValue("code") != "code" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant"})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": i.sign(i.claims)})
}

func (i *issuer) sign(claims map[string]any) string {
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			i.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := part(map[string]any{"alg": i.alg, "kid": "k", "typ": "JWT"}) + "." + part(claims)
	if i.alg == "none" {
		return text + "."
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.signer, crypto.SHA256, sum[:])
	if err != nil {
		i.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// config returns the provider as the console is told of it.
func (i *issuer) config() *OIDC {
	return &OIDC{Issuer: i.server.URL, ClientID: issuerClient, AdminGroup: "signal-admins",
		Secret: func() (pipeline.Secret, error) { return pipeline.NewSecret(issuerSecret), nil }}
}

// begin opens /login/oidc and returns the query that the browser is sent with.
func (i *issuer) begin(f *fixture, client *http.Client) url.Values {
	f.Helper()
	got := f.ask(client, "GET", "/login/oidc?next=/signals/search", "")
	to, err := url.Parse(got.header.Get("Location"))
	if err != nil || got.status != http.StatusSeeOther || to.Path != "/authorize" {
		f.Fatalf("%d to %q: %s", got.status, got.header.Get("Location"), got.body)
	}
	q := to.Query()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.challenge, i.alg, i.signer, i.info = q.Get("code_challenge"), "RS256", i.key, nil
	now := time.Now()
	i.claims = map[string]any{
		"iss": i.server.URL, "aud": issuerClient, "sub": "00u1", "nonce": q.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"preferred_username": "ann@example.com", "groups": []string{"Everyone", "signal-admins"},
	}
	return q
}

// callback comes back from the provider.
func callback(q url.Values) string {
	return callbackPath + "?" + url.Values{"code": {"code"}, "state": {q.Get("state")}}.Encode()
}

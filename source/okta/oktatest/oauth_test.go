package oktatest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const testOrigin = "https://acme.okta.com"

// testApp makes a service app's requests, well or badly.
type testApp struct {
	t        *testing.T
	client   *http.Client
	key, own *ecdsa.PrivateKey
	n        int
}

func newTestApp(t *testing.T, org *Org, app App) *testApp {
	a := &testApp{t: t, client: &http.Client{Transport: org.Transport()}, key: newKey(t), own: newKey(t)}
	app.ClientID, app.Keys = "0oa1", map[string]crypto.PublicKey{"k1": a.key.Public()}
	org.Register(app)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claims are the claims of a JWT; nil removes one.
type claims map[string]any

func (a *testApp) sign(key any, header, claim, changed claims) string {
	a.t.Helper()
	options := &jose.SignerOptions{EmbedJWK: header["jwk"] == true}
	for name, to := range header {
		if name != "jwk" {
			options.WithHeader(jose.HeaderKey(name), to)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		a.t.Fatal(err)
	}
	for name, to := range changed {
		if claim[name] = to; to == nil {
			delete(claim, name)
		}
	}
	text, err := jwt.Signed(signer).Claims(map[string]any(claim)).Serialize()
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

func (a *testApp) id() int { a.n++; return a.n }

func (a *testApp) assertion(changed claims) string {
	return a.sign(a.key, claims{"kid": "k1"}, claims{"jti": string(rune('a' + a.id())), "iss": "0oa1", "sub": "0oa1", "aud": testOrigin + TokenPath,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}, changed)
}

func (a *testApp) proof(method, path string, changed claims) string {
	return a.sign(a.own, claims{"typ": "dpop+jwt", "jwk": true}, claims{"jti": string(rune('a' + a.id())), "htm": method, "htu": testOrigin + path, "iat": time.Now().Unix()}, changed)
}

// ask returns status, error code and nonce of an answer, and its body.
func (a *testApp) ask(req *http.Request, proofs ...string) (status int, code, nonce, body string) {
	a.t.Helper()
	req.Header["Dpop"] = proofs
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	var said struct {
		Error string `json:"error"`
		Code  string `json:"errorCode"`
	}
	_ = json.Unmarshal(data, &said)
	return resp.StatusCode, said.Error + said.Code, resp.Header.Get("DPoP-Nonce"), string(data)
}

func (a *testApp) grant(assertion string, proofs ...string) (status int, code, nonce, body string) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {logsScope}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
	req, _ := http.NewRequestWithContext(a.t.Context(), http.MethodPost, testOrigin+TokenPath, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return a.ask(req, proofs...)
}

// TestAssertionsRefused: each misuse of an assertion is refused as Okta does.
func TestAssertionsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTestApp(t, New(Config{}), App{})
		now := time.Now().Unix()
		for name, changed := range map[string]claims{
			"another issuer": {"iss": "0oa2"}, "another subject": {"sub": "0oa2"}, "another audience": {"aud": testOrigin + "/oauth2/default/v1/token"},
			"no expiry": {"exp": nil}, "expired": {"exp": now - 1}, "expires too late": {"exp": now + 3700}, "issued in the future": {"iat": now + 10},
		} {
			if status, code, _, body := a.grant(a.assertion(changed)); status != 401 || code != "invalid_client" {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
		once := a.assertion(nil)
		if status, _, _, body := a.grant(once); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if status, code, _, body := a.grant(once); status != 401 || code != "invalid_client" {
			t.Errorf("used twice: %d %s", status, body)
		}
		key := a.key
		a.key = newKey(t)
		if status, code, _, body := a.grant(a.assertion(nil)); status != 401 || code != "invalid_client" {
			t.Errorf("another key: %d %s", status, body)
		}
		if status, _, _, body := a.grant(a.sign(key, claims{"kid": "k2"}, claims{"iss": "0oa1", "sub": "0oa1"}, nil)); status != 401 || !strings.Contains(body, "kid is invalid") {
			t.Errorf("another kid: %d %s", status, body)
		}
	})
}

// TestProofsRefused: each misuse of a proof is refused, at the token endpoint and at the log.
func TestProofsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := New(Config{})
		a := newTestApp(t, org, App{DPoP: true})
		if status, code, _, body := a.grant(a.assertion(nil)); status != 400 || code != "invalid_dpop_proof" {
			t.Errorf("no proof: %d %s", status, body)
		}
		status, code, nonce, body := a.grant(a.assertion(nil), a.proof("POST", TokenPath, nil))
		if status != 400 || code != "use_dpop_nonce" || nonce == "" {
			t.Fatalf("no nonce: %d %s", status, body)
		}
		old := a.proof("POST", TokenPath, claims{"nonce": nonce})
		time.Sleep(6 * time.Minute)
		now := time.Now().Unix()
		for name, proofs := range map[string][]string{
			"two": {a.proof("POST", TokenPath, claims{"nonce": nonce}), a.proof("POST", TokenPath, claims{"nonce": nonce})}, "stale": {old},
			"method": {a.proof("GET", TokenPath, claims{"nonce": nonce})}, "path": {a.proof("POST", LogsPath, claims{"nonce": nonce})},
			"future": {a.proof("POST", TokenPath, claims{"nonce": nonce, "iat": now + 10})}, "no jti": {a.proof("POST", TokenPath, claims{"nonce": nonce, "jti": nil})},
			"no typ": {a.sign(a.own, claims{"jwk": true}, claims{"jti": "x"}, nil)}, "no jwk": {a.sign(a.own, claims{"typ": "dpop+jwt"}, claims{"jti": "y"}, nil)},
		} {
			if status, code, _, body := a.grant(a.assertion(nil), proofs...); status != 400 || code != "invalid_dpop_proof" {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
		status, _, _, body = a.grant(a.assertion(nil), a.proof("POST", TokenPath, claims{"nonce": nonce}))
		var said struct {
			Type  string `json:"token_type"`
			Token string `json:"access_token"`
		}
		if _ = json.Unmarshal([]byte(body), &said); status != 200 || said.Type != "DPoP" {
			t.Fatalf("%d %s", status, body)
		}
		logs := func(scheme string, proofs ...string) (int, string) {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, testOrigin+LogsPath+"?limit=1", nil)
			req.Header.Set("Authorization", scheme+" "+said.Token)
			status, code, _, _ := a.ask(req, proofs...)
			return status, code
		}
		hash := claims{"ath": hashOf(said.Token)}
		once := a.proof("GET", LogsPath, hash)
		if status, code := logs("DPoP", once); status != 200 {
			t.Fatalf("%d %s", status, code)
		}
		refused := map[string][]string{"used twice": {once}, "none": nil, "another token's": {a.proof("GET", LogsPath, claims{"ath": hashOf("x")})}}
		own := a.own
		a.own = newKey(t)
		refused["another key"] = []string{a.proof("GET", LogsPath, hash)}
		a.own = own
		for name, proofs := range refused {
			if status, code := logs("DPoP", proofs...); status != 400 || code != "invalid_dpop_proof" {
				t.Errorf("%s: %d %s", name, status, code)
			}
		}
		if status, code := logs("Bearer", a.proof("GET", LogsPath, hash)); status != 400 || code != "invalid_dpop_proof" {
			t.Errorf("a bound token as a bearer token: %d %s", status, code)
		}
		time.Sleep(tokenLife)
		if status, code := logs("DPoP", a.proof("GET", LogsPath, hash)); status != 401 || code != "E0000011" {
			t.Errorf("an expired token: %d %s", status, code)
		}
		// A nonce is accepted for three days after its own.
		for days, want := range []int{200, 200, 200, 200, 400} {
			if status, _, _, body := a.grant(a.assertion(nil), a.proof("POST", TokenPath, claims{"nonce": nonce})); status != want {
				t.Errorf("a nonce after %d days: %d %s", days, status, body)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

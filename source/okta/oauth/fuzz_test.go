package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/witfoo/signal-client/pipeline"
)

// FuzzAnswer answers requests for an access token with anything. Whatever a session takes
// from it, the requests that it signs then have a header that can be sent, a proof of
// this host and the nonce that was asked for; and it asks a few times at most.
func FuzzAnswer(f *testing.F) {
	const ok = `{"token_type":"DPoP","expires_in":3600,"access_token":"at","scope":"okta.logs.read"}`
	for _, seed := range []struct {
		status            int
		body, nonce, date string
	}{
		{200, ok, "", ""}, {200, strings.Replace(ok, "DPoP", "Bearer", 1), "n", "Fri, 20 Nov 2026 08:00:00 GMT"},
		{200, `{"token_type":"DPoP","expires_in":-1e308,"access_token":"a\r\nb"}`, "", ""}, {200, `[]`, "", ""},
		{200, `{"token_type":"dpop","expires_in":1e308,"access_token":"x"}`, "\"\\\x00é", "x"},
		{400, `{"error":"use_dpop_nonce","error_description":"x"}`, "n1", ""}, {400, `{"error":7}`, "", "Thu, 01 Jan 1970 00:00:00 GMT"},
		{401, `{"error":"invalid_client"}`, "", "Fri, 31 Dec 9999 23:59:59 GMT"}, {500, "<html>", "", ""},
	} {
		f.Add(seed.status, seed.body, seed.nonce, seed.date)
	}
	app := App{ClientID: "0oa1", KeyID: "k1", Key: pipeline.NewSecret(testKey(f))}
	const origin = "https://acme.okta.com"
	f.Fuzz(func(t *testing.T, status int, body, nonce, date string) {
		s, err := NewSession(app, origin)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Dpop-Nonce": {nonce}, "Date": {date}, "Www-Authenticate": {body}}
		asked := 0
		fresh, err := s.Ensure(t.Context(), func(context.Context, url.Values, string) (Answer, error) {
			asked++
			return Answer{status, h, []byte(body)}, nil
		})
		if asked < 1 || asked > tries || fresh == (err != nil) {
			t.Fatalf("asked %d times, fresh: %v, %v", asked, fresh, err)
		}
		s.Learn(status, h)
		if err != nil {
			return
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/api/v1/logs", nil)
		token, err := s.Sign(req)
		if err != nil || token.IsZero() {
			t.Fatalf("signs with %v: %v", token, err)
		}
		if strings.ContainsFunc(req.Header.Get("Authorization"), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("header %q", req.Header.Get("Authorization"))
		}
		text := req.Header.Get("DPoP")
		if text == "" {
			return // a bearer's
		}
		proof, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
		var claims map[string]any
		if err == nil {
			err = proof.UnsafeClaimsWithoutVerification(&claims)
		}
		if got, _ := claims["nonce"].(string); err != nil || claims["htu"] != origin+"/api/v1/logs" || utf8.ValidString(nonce) && got != nonce {
			t.Fatalf("proof %v, nonce %q: %v", claims, nonce, err)
		}
	})
}

// FuzzKey reads private keys from anything. What it takes can sign, in a reasonable time,
// and no error shows the text.
func FuzzKey(f *testing.F) {
	pem := testKey(f)
	for _, seed := range []string{pem, pem[:len(pem)/2], "\ufeff" + pem, `{"kty":"EC","crv":"P-256","x":"","y":"","d":""}`, `{"kty":"RSA","n":"AQ","e":"AQAB","d":"AQ"}`, `{"kty":"oct","k":"AA"}`, `{}`,
		strings.ReplaceAll(pem, "EC PRIVATE", "RSA PRIVATE"), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		app := App{ClientID: "0oa1", KeyID: "k1", Key: pipeline.NewSecret(text)}
		err := app.Check()
		if err != nil {
			if len(text) > 40 && strings.Contains(err.Error(), text) {
				t.Fatalf("shows the text: %v", err)
			}
			return
		}
		s, err := NewSession(app, "https://acme.okta.com")
		if err != nil {
			t.Fatalf("a checked key: %v", err)
		}
		began := time.Now()
		if _, _, err := s.form(); err != nil || time.Since(began) > 10*time.Second {
			t.Fatalf("a checked key does not sign: %v", err)
		}
	})
}

func testKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

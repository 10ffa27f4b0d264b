package okta_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oauth"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

const clientID = "0oa1b2c3d4E5f6G7h8i9"

// keyOf returns a private key as PEM, and its public half.
func keyOf(t *testing.T, key crypto.Signer) (pipeline.Secret, crypto.PublicKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), key.Public()
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// appOf registers a service app at an org and returns a client that asks as that app.
func appOf(t *testing.T, org *oktatest.Org, app oktatest.App) *okta.Client {
	t.Helper()
	key, public := keyOf(t, ecKey(t, elliptic.P256()))
	app.ClientID, app.Keys = clientID, map[string]crypto.PublicKey{"k1": public}
	org.Register(app)
	c := clientOf(org)
	c.Credential = oauth.App{ClientID: clientID, KeyID: "k1", Key: key}
	return c
}

// drain reads a log to its end, and calls each before every poll.
func drain(t *testing.T, c *okta.Client, each func(n int)) []string {
	t.Helper()
	var got []string
	link := okta.Start("", 10, time.Now().Add(-48*time.Hour))
	for n := 1; ; n++ {
		each(n)
		page, err := c.Poll(t.Context(), link)
		if err != nil {
			t.Fatalf("poll %d: %v", n, err)
		}
		for _, e := range page.Events {
			got = append(got, e.UUID)
		}
		if link = page.Next; !page.Full {
			return got
		}
	}
}

func wantAll(t *testing.T, org *oktatest.Org, got []string) {
	t.Helper()
	var want []string
	for _, e := range org.Events() {
		want = append(want, e.UUID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d events, want the %d of the log, each once and in order", len(got), len(want))
	}
}

// TestAppDrains: service apps are drained completely and in order, whether the org binds
// their tokens or not, whatever it demands, and although tokens, nonces and roles of the
// clock change in mid-drain; and each first token request has a proof, so that the log shows
// no failed grant but for nonces.
func TestAppDrains(t *testing.T) {
	tests := map[string]struct {
		app     oktatest.App
		config  oktatest.Config
		each    func(org *oktatest.Org, n int)
		grants  int
		refused int // of token requests
	}{
		"bearer tokens":           {app: oktatest.App{Bearer: true}, grants: 1},
		"DPoP not demanded":       {grants: 1, refused: 1},
		"DPoP demanded":           {app: oktatest.App{DPoP: true}, grants: 1, refused: 1},
		"nonce at the log":        {app: oktatest.App{DPoP: true, LogsNonce: true}, grants: 1, refused: 1},
		"the org's clock is late": {app: oktatest.App{DPoP: true}, config: oktatest.Config{Skew: -10 * time.Minute}, grants: 1, refused: 2},
		"its clock is early":      {app: oktatest.App{DPoP: true}, config: oktatest.Config{Skew: 10 * time.Minute}, grants: 1, refused: 2},
		"its clock, bearer":       {app: oktatest.App{Bearer: true}, config: oktatest.Config{Skew: -10 * time.Minute}, grants: 1, refused: 1},
		"tokens end in mid-drain": {
			app: oktatest.App{DPoP: true},
			each: func(org *oktatest.Org, n int) {
				if n%5 == 0 {
					org.ExpireTokens()
				}
			}, grants: 5, refused: 1,
		},
		"nonces change": {
			app: oktatest.App{DPoP: true, LogsNonce: true},
			each: func(org *oktatest.Org, n int) {
				if n%5 == 0 {
					org.RenewNonces()
				}
			}, grants: 1, refused: 1,
		},
		"a token's life is over": {
			app: oktatest.App{DPoP: true},
			each: func(_ *oktatest.Org, n int) {
				if n == 5 || n == 10 {
					time.Sleep(49 * time.Minute)
				}
			}, grants: 3, refused: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.config.Synthesize.Events = 203
				test.config.Rate.PerMinute = 1000
				org := oktatest.New(test.config)
				c := appOf(t, org, test.app)
				got := drain(t, c, func(n int) {
					if test.each != nil {
						test.each(org, n)
					}
				})
				wantAll(t, org, got)
				if s := org.Stats(); s.Grants != test.grants || s.GrantsRefused != test.refused {
					t.Errorf("%d tokens and %d refusals, want %d and %d", s.Grants, s.GrantsRefused, test.grants, test.refused)
				}
				for _, r := range org.Requests() {
					if r.Host != "acme.okta.com" {
						t.Errorf("a request went to %s", r.Host)
					}
				}
			})
		})
	}
}

// TestAppAlgorithms: keys of all kinds that Okta accepts sign assertions, as PEM and as JWK.
func TestAppAlgorithms(t *testing.T) {
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[jose.SignatureAlgorithm]crypto.Signer{
		jose.RS256: large, jose.RS384: large, jose.RS512: large,
		jose.ES256: ecKey(t, elliptic.P256()), jose.ES384: ecKey(t, elliptic.P384()), jose.ES512: ecKey(t, elliptic.P521()),
	}
	for algorithm, key := range keys {
		org := oktatest.New(oktatest.Config{})
		org.Register(oktatest.App{ClientID: clientID, Keys: map[string]crypto.PublicKey{"k1": key.Public()}})
		jwk, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: string(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		text, _ := keyOf(t, key)
		for _, app := range []oauth.App{
			{ClientID: clientID, KeyID: "k1", Key: text},
			{ClientID: clientID, Key: pipeline.NewSecret(string(jwk))},
		} {
			c := clientOf(org)
			c.Credential = app
			if _, err := c.Poll(t.Context(), okta.Start("", 10, time.Now().Add(-time.Hour))); err != nil {
				t.Errorf("%s: %v", algorithm, err)
			}
		}
	}
}

// TestAppRemedies: what an org refuses of a service app is told with its one remedy, as a
// refused credential, and shows neither key nor token.
func TestAppRemedies(t *testing.T) {
	tests := map[string]struct {
		app    oktatest.App
		change func(t *testing.T, c *okta.Client, org *oktatest.Org)
		remedy string
	}{
		"unknown client": {
			change: func(_ *testing.T, c *okta.Client, _ *oktatest.Org) {
				app := c.Credential.(oauth.App)
				app.ClientID = "0oaOther"
				c.Credential = app
			}, remedy: "Client ID",
		},
		"unknown kid": {
			change: func(_ *testing.T, c *okta.Client, _ *oktatest.Org) {
				app := c.Credential.(oauth.App)
				app.KeyID = "k2"
				c.Credential = app
			}, remedy: "public half",
		},
		"another key": {
			change: func(t *testing.T, c *okta.Client, _ *oktatest.Org) {
				app := c.Credential.(oauth.App)
				app.Key, _ = keyOf(t, ecKey(t, elliptic.P256()))
				c.Credential = app
			}, remedy: "public half",
		},
		"another host":       {change: func(_ *testing.T, c *okta.Client, _ *oktatest.Org) { c.Origin = "https://alias.okta.com" }, remedy: "own host name"},
		"no scope":           {app: oktatest.App{NoScope: true}, remedy: "grant okta.logs.read"},
		"no role":            {app: oktatest.App{NoRole: true}, remedy: "Read-only Administrator"},
		"no role, with DPoP": {app: oktatest.App{NoRole: true, DPoP: true}, remedy: "Read-only Administrator"},
		"network zone":       {app: oktatest.App{OffZone: true}, remedy: "network zones"},
		"no Date": {change: func(_ *testing.T, _ *okta.Client, org *oktatest.Org) {
			org.SetFault(func(oktatest.Request) oktatest.Fault { return oktatest.Fault{Header: http.Header{"Date": nil}} })
		}, remedy: "clock"},
		"nonces without end": {app: oktatest.App{DPoP: true}, change: func(_ *testing.T, _ *okta.Client, org *oktatest.Org) {
			org.SetFault(func(oktatest.Request) oktatest.Fault { org.RenewNonces(); return oktatest.Fault{} })
		}, remedy: "DPoP-Nonce"},
		"tokens that are never accepted": {app: oktatest.App{DPoP: true}, change: func(_ *testing.T, _ *okta.Client, org *oktatest.Org) {
			org.SetFault(func(r oktatest.Request) oktatest.Fault {
				if r.Method == http.MethodGet {
					org.ExpireTokens()
				}
				return oktatest.Fault{}
			})
		}, remedy: "active"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := oktatest.Config{Origin: "https://acme.okta.com"}
			if name == "no Date" {
				config.Skew = -time.Hour
			}
			org := oktatest.New(config)
			c := appOf(t, org, test.app)
			if test.change != nil {
				test.change(t, c, org)
			}
			_, err := c.Poll(t.Context(), okta.Start("", 10, time.Now().Add(-time.Hour)))
			if !errors.Is(err, pipeline.ErrCredential) {
				t.Fatalf("%v", err)
			}
			v := source.Explain(okta.Source.Mark(err))
			if !strings.Contains(v.Remedy, test.remedy) || v.Meaning == "" {
				t.Errorf("%v\nmeans %q, remedy %q, want %q", err, v.Meaning, v.Remedy, test.remedy)
			}
			if n := org.Stats().Requests; n > 5 {
				t.Errorf("%d requests", n)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, c.Credential, c.Credential); strings.Contains(text, "PRIVATE") || strings.Contains(text, "eyJ") {
				t.Errorf("a secret is shown: %s", text)
			}
		})
	}
}

// TestAppRotation: another key is used after a change of the credential, while the former
// one is removed from the app.
func TestAppRotation(t *testing.T) {
	org := oktatest.New(oktatest.Config{})
	c := appOf(t, org, oktatest.App{DPoP: true})
	link := okta.Start("", 10, time.Now().Add(-time.Hour))
	if _, err := c.Poll(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	former := c.Credential
	key, public := keyOf(t, ecKey(t, elliptic.P384()))
	org.Register(oktatest.App{ClientID: clientID, DPoP: true, Keys: map[string]crypto.PublicKey{"k2": public}})
	org.ExpireTokens()
	if _, err := c.Poll(t.Context(), link); !errors.Is(err, pipeline.ErrCredential) {
		t.Errorf("a removed key: %v", err)
	}
	c = clientOf(org)
	c.Credential = oauth.App{ClientID: clientID, KeyID: "k2", Key: key}
	if c.Credential == former {
		t.Error("another credential is equal")
	}
	if _, err := c.Poll(t.Context(), link); err != nil {
		t.Error(err)
	}
}

// TestAppSharesOneToken: clients of one Session ask for one token.
func TestAppSharesOneToken(t *testing.T) {
	org := oktatest.New(oktatest.Config{})
	c := appOf(t, org, oktatest.App{DPoP: true})
	var shared source.Session
	done := make(chan error)
	for range 8 {
		other := clientOf(org)
		other.Credential, other.Session = c.Credential, &shared
		go func() {
			_, err := other.Poll(t.Context(), okta.Start("", 10, time.Now().Add(-time.Hour)))
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := org.Stats().Grants; n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// TestAppThroughFailures: a token endpoint that fails or throttles stops nothing while the
// old token lives, and is no refusal after that.
func TestAppThroughFailures(t *testing.T) {
	for status, want := range map[int]error{503: nil, 504: nil, 429: pipeline.ErrThrottled} {
		synctest.Test(t, func(t *testing.T) {
			org := oktatest.New(oktatest.Config{})
			c := appOf(t, org, oktatest.App{DPoP: true})
			link := okta.Start("", 10, time.Now().Add(-time.Hour))
			if _, err := c.Poll(t.Context(), link); err != nil {
				t.Fatal(err)
			}
			org.SetFault(func(r oktatest.Request) oktatest.Fault {
				if r.Link == oktatest.TokenPath {
					return oktatest.Fault{Status: status, Code: "E0000047", Summary: "later"}
				}
				return oktatest.Fault{}
			})
			time.Sleep(50 * time.Minute)
			if _, err := c.Poll(t.Context(), link); err != nil {
				t.Errorf("%d while the old token lives: %v", status, err)
			}
			time.Sleep(10 * time.Minute)
			_, err := c.Poll(t.Context(), link)
			if e, ok := errors.AsType[*okta.Error](err); !ok || e.Kind != want || e.Status != status {
				t.Errorf("%d: %v", status, err)
			}
			if v := source.Explain(okta.Source.Mark(err)); strings.Contains(v.Meaning, "page") {
				t.Errorf("%d means %q", status, v.Meaning)
			}
			org.SetFault(nil)
			if _, err := c.Poll(t.Context(), link); err != nil {
				t.Error(err)
			}
		})
	}
}

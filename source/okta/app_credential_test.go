package okta_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// TestAppCredentials: each value has one credential; what is wrong or missing is named, and
// no key is shown.
func TestAppCredentials(t *testing.T) {
	key, _ := keyOf(t, ecKey(t, elliptic.P256()))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, _ := keyOf(t, small)
	public, err := json.Marshal(jose.JSONWebKey{Key: ecKey(t, elliptic.P256()).Public(), KeyID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	for want, credentials := range map[string]object{
		"":                          {"client_id": "0oa1", "key_id": "k1", "private_key": key.Reveal()},
		" ":                         {"client_id": "0oa1", "key_id": "k1", "private_key_file": "/run/key"},
		"both private_key and priv": {"client_id": "0oa1", "key_id": "k1", "private_key": key.Reveal(), "private_key_file": "/run/key"},
		"API token and a service":   {"client_id": "0oa1", "key_id": "k1", "private_key_file": "/run/key", "api_token": "00abc"},
		"client_id: is missing":     {"key_id": "k1", "private_key_file": "/run/key"},
		"private_key_file: is miss": {"client_id": "0oa1", "key_id": "k1"},
		"names no key id":           {"client_id": "0oa1", "private_key": key.Reveal()},
		"1024 bits":                 {"client_id": "0oa1", "key_id": "k1", "private_key": weak.Reveal()},
		"is a public key":           {"client_id": "0oa1", "private_key": string(public)},
		"cut short":                 {"client_id": "0oa1", "key_id": "k1", "private_key": key.Reveal()[:100]},
		"passphrase":                {"client_id": "0oa1", "key_id": "k1", "private_key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"},
		"is a certificate":          {"client_id": "0oa1", "key_id": "k1", "private_key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
	} {
		value, err := json.Marshal(object{"settings": object{"fqdn": "acme.okta.com"}, "credentials": credentials})
		if err != nil {
			t.Fatal(err)
		}
		i, err := okta.Kind.Read("acme", value)
		if strings.TrimSpace(want) == "" {
			if err != nil || i.ClientID != "0oa1" || i.KeyID != "k1" || i.PrivateKey.IsZero() != (want == " ") {
				t.Errorf("%v", err)
			}
			continue
		}
		if !errors.Is(err, pipeline.ErrConfig) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "-----") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestAppKeyFile: a changed file is another credential; one that is being written is none.
func TestAppKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	i := pipeline.Integration{Kind: okta.Kind, ClientID: "0oa1", KeyID: "k1", PrivateKeyFile: path}
	read := func(text string) (pipeline.Credential, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return okta.Kind.Credential(t.Context(), i)
	}
	one, _ := keyOf(t, ecKey(t, elliptic.P256()))
	two, _ := keyOf(t, ecKey(t, elliptic.P256()))
	first, err := read(one.Reveal())
	if err != nil || first.IsZero() {
		t.Fatal(err)
	}
	if same, err := read(one.Reveal() + "\n"); err != nil || same != first {
		t.Errorf("the same key is another credential: %v", err)
	}
	if other, err := read(two.Reveal()); err != nil || other == first {
		t.Errorf("another key is the same credential: %v", err)
	}
	for _, text := range []string{"", one.Reveal()[:150], "00abc"} {
		if _, err := read(text); !errors.Is(err, pipeline.ErrConfig) || !strings.Contains(err.Error(), "private_key_file") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", first, "i", i)
	if text := fmt.Sprintf("%v %+v %#v %s", first, first, first, log.String()); strings.Contains(text, "BEGIN") {
		t.Error(text)
	}
}

// TestAppKeepsToTheBudget: requests for tokens wait like all others while the org holds
// requests back, and with them the log is asked no faster than the share allows.
func TestAppKeepsToTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := oktatest.New(oktatest.Config{Rate: oktatest.Rate{PerMinute: 20}})
		c := appOf(t, org, oktatest.App{DPoP: true})
		link := okta.Start("", 10, time.Now().Add(-time.Hour))
		began := time.Now()
		for n := 0; time.Since(began) < 10*time.Minute; n++ {
			if n%2 == 0 {
				org.ExpireTokens()
			}
			if _, err := c.Poll(t.Context(), link); err != nil {
				t.Fatal(err)
			}
		}
		if s := org.Stats(); s.Answered > 10*11 || s.Violations > 0 || s.Grants < 10 {
			t.Errorf("%d pages in ten minutes, %d violations, %d tokens", s.Answered, s.Violations, s.Grants)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		org := oktatest.New(oktatest.Config{})
		c := appOf(t, org, oktatest.App{DPoP: true})
		link := okta.Start("", 10, time.Now().Add(-time.Hour))
		org.SetFault(func(r oktatest.Request) oktatest.Fault {
			if r.Link == oktatest.TokenPath {
				return oktatest.Fault{}
			}
			return oktatest.Fault{Status: 429, Code: "E0000047", Header: map[string][]string{"Retry-After": {"60"}}}
		})
		if _, err := c.Poll(t.Context(), link); !errors.Is(err, pipeline.ErrThrottled) {
			t.Fatal(err)
		}
		org.SetFault(nil)
		began := time.Now()
		other := clientOf(org) // has no token yet
		other.Credential, other.Limiter = c.Credential, c.Limiter
		if _, err := other.Poll(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		for _, r := range org.Requests() {
			if since := r.Time.Sub(began); since > 0 && since < 50*time.Second {
				t.Errorf("%s %s after %s, within the pause that the org asked for", r.Method, r.Link, since)
			}
		}
		if time.Since(began) < 50*time.Second {
			t.Error("nothing waited")
		}
	})
}

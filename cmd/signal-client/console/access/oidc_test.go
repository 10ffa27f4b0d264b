package access

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A user of the provider logs in by the code flow with PKCE and lands where he wanted to;
// the groups decide his role.
func TestOIDC(t *testing.T) {
	i := startIssuer(t)
	f := serve(t, Config{OIDC: i.config()})
	for name, c := range map[string]struct {
		change func()
		want   User
	}{
		"admin":      {func() {}, User{"ann@example.com", RoleAdmin, ViaOIDC}},
		"viewer":     {func() { i.claims["groups"] = []string{"signal-admins-not"} }, User{"ann@example.com", RoleViewer, ViaOIDC}},
		"one group":  {func() { i.claims["groups"] = "signal-admins" }, User{"ann@example.com", RoleAdmin, ViaOIDC}},
		"odd groups": {func() { i.claims["groups"] = map[string]any{"signal-admins": true} }, User{"ann@example.com", RoleViewer, ViaOIDC}},
		"thin token": {func() {
			delete(i.claims, "groups")
			delete(i.claims, "preferred_username")
			i.info = map[string]any{"sub": "00u1", "preferred_username": "ann", "groups": []string{"signal-admins"}}
		}, User{"ann", RoleAdmin, ViaOIDC}},
		"another's info": {func() {
			delete(i.claims, "groups")
			i.info = map[string]any{"sub": "00u2", "groups": []string{"signal-admins"}}
		}, User{"ann@example.com", RoleViewer, ViaOIDC}},
		"no name": {func() { delete(i.claims, "preferred_username") }, User{"00u1", RoleAdmin, ViaOIDC}},
	} {
		client := f.browser()
		q := i.begin(f, client)
		if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != f.server.URL+callbackPath || q.Get("scope") != "openid profile email groups" || q.Get("client_id") != issuerClient || q.Get("response_type") != "code" {
			t.Errorf("%s: the browser is sent with %v", name, q)
		}
		c.change()
		got := f.ask(client, "GET", callback(q), "", header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "document"))
		if got.status != http.StatusSeeOther || got.header.Get("Location") != "/signals/search" {
			t.Errorf("%s: %d to %q: %s", name, got.status, got.header.Get("Location"), got.body)
		}
		if got := f.ask(client, "GET", "/", ""); got.user != c.want {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if got := f.ask(client, "GET", callback(q), ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: the same answer again: %d", name, got.status)
		}
	}
}

// Whatever is wrong with the provider's answer, nobody gets in, and the page does not say
// what the provider said.
func TestOIDCRefuses(t *testing.T) {
	i := startIssuer(t)
	f := serve(t, Config{OIDC: i.config()})
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(q url.Values)
		want   int
	}{
		"wrong state":     {func(q url.Values) { q.Set("state", "x") }, 400},
		"no state":        {func(q url.Values) { q.Set("state", "") }, 400},
		"wrong nonce":     {func(url.Values) { i.claims["nonce"] = "x" }, 502},
		"no nonce":        {func(url.Values) { delete(i.claims, "nonce") }, 502},
		"wrong audience":  {func(url.Values) { i.claims["aud"] = "other" }, 502},
		"wrong issuer":    {func(url.Values) { i.claims["iss"] = "https://evil.example" }, 502},
		"expired":         {func(url.Values) { i.claims["exp"] = time.Now().Add(-time.Hour).Unix() }, 502},
		"unsigned":        {func(url.Values) { i.alg = "none" }, 502},
		"another's key":   {func(url.Values) { i.signer = stranger }, 502},
		"other algorithm": {func(url.Values) { i.alg = "HS256" }, 502},
		"wrong verifier":  {func(url.Values) { i.challenge = "x" }, 502},
	} {
		client := f.browser()
		q := i.begin(f, client)
		c.change(q)
		if got := f.ask(client, "GET", callback(q), ""); got.status != c.want || f.session(client) != "" || strings.Contains(got.body, "invalid_grant") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	client := f.browser()
	q := i.begin(f, client)
	if got := f.ask(f.browser(), "GET", callback(q), ""); got.status != http.StatusBadRequest {
		t.Errorf("in another browser: %d", got.status)
	}
	denied := callbackPath + "?" + url.Values{"state": {q.Get("state")}, "error": {"access_denied"}, "error_description": {"not <b>assigned</b>"}}.Encode()
	if got := f.ask(client, "GET", denied, ""); got.status != http.StatusForbidden || !strings.Contains(got.body, "not <b>assigned</b>") {
		t.Errorf("denied: %d %s", got.status, got.body)
	}
	for next, want := range map[string]string{"//evil.example": "/", "https://evil.example/": "/"} {
		client := f.browser()
		got := f.ask(client, "GET", "/login/oidc?next="+url.QueryEscape(next), "")
		to, err := url.Parse(got.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		i.begin(f, f.browser())
		i.challenge, i.claims["nonce"] = to.Query().Get("code_challenge"), to.Query().Get("nonce")
		if got := f.ask(client, "GET", callback(to.Query()), ""); got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("next=%s: %d to %s", next, got.status, got.header.Get("Location"))
		}
	}
}

// A provider that is away at the start is asked again at the next login.
func TestOIDCProviderIsAway(t *testing.T) {
	i := startIssuer(t)
	o := i.config()
	o.Issuer = "http://127.0.0.1:1"
	f := serve(t, Config{OIDC: o})
	if got := f.ask(f.browser(), "GET", "/login/oidc", ""); got.status != http.StatusBadGateway {
		t.Errorf("%d %s", got.status, got.body)
	}
	o.Issuer = i.server.URL
	client := f.browser()
	if got := f.ask(client, "GET", callback(i.begin(f, client)), ""); got.status != http.StatusSeeOther {
		t.Errorf("%d %s", got.status, got.body)
	}
	without := withPasswords(t)
	for _, path := range []string{"/login/oidc", callbackPath} {
		if got := without.ask(without.browser(), "GET", path, ""); got.status != http.StatusNotFound && got.status != http.StatusBadRequest {
			t.Errorf("without a provider, %s: %d", path, got.status)
		}
	}
}

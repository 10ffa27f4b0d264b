package access

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// An API token has its own role, in the header only, until it is revoked.
func TestAPITokens(t *testing.T) {
	for name, f := range map[string]*fixture{"open": serve(t, Config{}), "password": withPasswords(t)} {
		token, stored, err := NewToken(t.Context(), f.logins, "grafana", RoleViewer)
		if err != nil {
			t.Fatal(err)
		}
		client := f.browser()
		bearer := func(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }
		if got := f.ask(client, "GET", "/api/v1/x", "", bearer(token)); got.user != (User{"grafana", RoleViewer, ViaToken}) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if got := f.ask(client, "POST", "/api/v1/change", "", bearer(token)); got.status != http.StatusForbidden {
			t.Errorf("%s: a viewer's token changes something: %d", name, got.status)
		}
		if used, err := f.logins.Token(t.Context(), stored.ID); err != nil || used.LastUsed != time.Now().UTC().Format(time.DateOnly) {
			t.Errorf("%s: used %+v, %v", name, used, err)
		}
		other, _, err := NewToken(t.Context(), f.logins, "other", RoleAdmin)
		if err != nil {
			t.Fatal(err)
		}
		mixed := token[:len(tokenPrefix)+tokenIDLength] + other[len(tokenPrefix)+tokenIDLength:]
		for _, wrong := range []string{"", "x", mixed, token + "A", strings.ToLower(token), token[:len(token)-1] + "*", "sct_" + strings.Repeat(">", tokenIDLength) + "_" + strings.Repeat("A", idLength)} {
			if got := f.ask(client, "GET", "/api/v1/x", "", bearer(wrong)); got.status != http.StatusUnauthorized {
				t.Errorf("%s: %q: %d %s", name, wrong, got.status, got.body)
			}
		}
		twice := func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer x", "Bearer " + token} }
		if got := f.ask(client, "GET", "/api/v1/x", "", twice); got.status != http.StatusUnauthorized {
			t.Errorf("%s: two headers: %d", name, got.status)
		}
		if got := f.ask(client, "GET", "/api/v1/x?token="+token+"&access_token="+token, ""); name == "password" && got.status != http.StatusUnauthorized {
			t.Errorf("a token in the URL: %d", got.status)
		}
		if err := f.logins.Revoke(t.Context(), stored.ID); err != nil {
			t.Fatal(err)
		}
		if got := f.ask(client, "GET", "/api/v1/x", "", bearer(token)); got.status != http.StatusUnauthorized {
			t.Errorf("%s: a revoked one: %d", name, got.status)
		}
	}
}

// A token has a role that there is.
func TestNewTokenRefusesRoles(t *testing.T) {
	if _, _, err := NewToken(t.Context(), nil, "x", "root"); err == nil {
		t.Error("a token for root")
	}
}

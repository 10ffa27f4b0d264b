package buckets

import (
	"maps"
	"testing"
)

// TestNames: a slug names the instance whose key was written first, for as long as that key
// exists, whatever is written later.
func TestNames(t *testing.T) {
	n := Names{}
	for step, c := range []struct {
		keys map[string]uint64
		want Names
	}{
		{map[string]uint64{"okta.acme": 5, "auth0.acme": 3, "auth0.b": 4}, Names{"acme": "auth0.acme", "b": "auth0.b"}},
		{map[string]uint64{"okta.acme": 5, "auth0.acme": 9, "okta.b": 6}, Names{"acme": "auth0.acme", "b": "okta.b"}},
		{map[string]uint64{"okta.acme": 5, "okta.b": 6}, Names{"acme": "okta.acme", "b": "okta.b"}},
		{nil, Names{}},
	} {
		if n.Settle(c.keys); !maps.Equal(n, c.want) {
			t.Errorf("step %d: %v, want %v", step, n, c.want)
		}
	}
	n.Take("auth0.acme")
	if a, b := n.Of("auth0.acme"), n.Of("okta.acme"); a != "acme" || b != "okta.acme" {
		t.Errorf("named %s and %s", a, b)
	}
}

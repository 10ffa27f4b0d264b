package oktatest

import (
	"encoding/json"
	"net/http"
)

const organizationPath = "/.well-known/okta-organization"

// organization returns the org's description of itself, which needs no credential.
func (o *Org) organization(r *http.Request) []byte {
	data, _ := json.Marshal(map[string]any{
		"id":       oktaID("00o", mix(o.config.Seed)),
		"_links":   map[string]any{"organization": map[string]string{"href": o.origin(r)}},
		"pipeline": "idx",
	})
	return data
}

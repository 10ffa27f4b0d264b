package view

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
)

// Document is an integration as API and form show it: its value in INTEGRATIONS with
// defaults filled in, and for each secret {"set": true}.
type Document struct {
	Instance string
	Value    orgs.Value
	Origin   string // of its requests; empty: the value is invalid
	Revision uint64 // of the bucket's key; 0: it is from a service's environment
	At       time.Time
	Static   bool   // from a service's environment: it can't be changed here
	Error    string // why the value is invalid; empty: it is valid
}

// Text returns the field at a path such as settings.fqdn as text; empty: there is none.
func (d Document) Text(path string) string { return orgs.Text(d.Value.At(path)) }

// SecretSet reports whether the secret at a path such as credentials.api_token is stored.
func (d Document) SecretSet(path string) bool {
	_, set := d.Value.At(path).(map[string]any)
	return set
}

// MarshalJSON returns the value with what is known of it besides.
func (d Document) MarshalJSON() ([]byte, error) {
	all := maps.Clone(d.Value)
	if all == nil {
		all = orgs.Value{}
	}
	all["instance"], all["revision"], all["origin"] = d.Instance, d.Revision, d.Origin
	if !d.At.IsZero() {
		all["written_at"] = d.At.UTC().Format(time.RFC3339Nano)
	}
	if d.Static {
		all["static"] = true
	}
	if d.Error != "" {
		all["error"] = d.Error
	}
	return json.Marshal(map[string]any(all))
}

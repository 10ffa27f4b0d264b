package view

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Document is an integration as API and form show it: its value in INTEGRATIONS with
// defaults filled in, and for each secret {"set": true}.
type Document struct {
	Instance string
	Value    orgs.Value
	Origin   string // of its requests; empty: the value is invalid
	Revision uint64 // of the bucket's key; 0: it is from a service's environment
	At       time.Time
	Sealed   bool   // its secrets are stored sealed
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
	if d.Sealed {
		all["sealed"] = true
	}
	if d.Static {
		all["static"] = true
	}
	if d.Error != "" {
		all["error"] = d.Error
	}
	return json.Marshal(map[string]any(all))
}

// Documents returns all integrations, by name: those in INTEGRATIONS, and those that
// services have from their environment.
func (v *View) Documents(ctx context.Context) ([]Document, error) {
	written, err := v.orgs.Written(ctx)
	if err := jets.IgnoreMissingBucket(err); err != nil {
		return nil, err
	}
	all := []Document{} // [] rather than null
	for _, w := range written {
		all = append(all, documentOf(w))
	}
	statuses, err := buckets.AllStatuses(ctx, v.config.Store)
	for _, s := range statuses {
		stored := slices.ContainsFunc(written, func(w buckets.Written) bool { return w.Instance == s.Instance })
		if w, ok := orgs.FromStatus(s); ok && !stored {
			all = append(all, staticDocument(w))
		}
	}
	slices.SortFunc(all, func(a, b Document) int { return strings.Compare(a.Instance, b.Instance) })
	return all, jets.IgnoreMissingBucket(err)
}

// Document returns an integration. Its error matches orgs.ErrNotFound if there is none.
func (v *View) Document(ctx context.Context, instance string) (Document, error) {
	w, err := v.stored(ctx, instance)
	if errors.Is(err, ErrStatic) {
		if there, ok := v.static(ctx, instance); ok {
			return staticDocument(there), nil
		}
	}
	if err != nil {
		return Document{}, err
	}
	return documentOf(w), nil
}

// documentOf returns the document of a stored value, valid or not.
func documentOf(w buckets.Written) Document {
	d := Document{Instance: w.Instance, Revision: w.Revision, At: w.At}
	stored, err := orgs.ReadValue(w.Value)
	if err != nil {
		d.Value, d.Error = orgs.Value{}, "its value is not a JSON object"
		return d
	}
	d.Value, d.Sealed = stored.Masked(), w.Sealing.Sealed()
	i, err := stored.Read(w.Instance)
	if err != nil {
		d.Error = err.Error()
		return d
	}
	d.Origin = i.Origin
	return d
}

func staticDocument(w buckets.Written) Document {
	d := documentOf(w)
	d.Static, d.At, d.Error = true, time.Time{}, ""
	if i, err := orgs.ReadEnvironment(w, ""); err == nil {
		d.Origin = i.Origin
	}
	return d
}

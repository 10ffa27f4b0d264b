package buckets

import (
	"fmt"
	"maps"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
)

// Names are the keys of INTEGRATIONS whose instances are named by their slugs, by slug.
//
// Metrics, wake subjects and advisories carry nothing else of a key <kind>.<slug>. So a
// slug belongs to one key. An instance of another kind with the same slug is named by its
// whole key, and can't be polled.
type Names map[string]string

// Settle takes away the slugs of missing keys, and gives each free one to the key that was
// written first.
func (n Names) Settle(revisions map[string]uint64) {
	maps.DeleteFunc(n, func(_, key string) bool { return revisions[key] == 0 })
	free := Names{}
	for key, revision := range revisions {
		slug := slugOf(key)
		if first := free[slug]; n[slug] == "" && (first == "" || revision < revisions[first]) {
			free[slug] = key
		}
	}
	maps.Copy(n, free)
}

// Take names the instance at a key by its slug.
func (n Names) Take(key string) { n[slugOf(key)] = key }

// Of returns the name of the instance at a key.
func (n Names) Of(key string) string {
	if slug := slugOf(key); n[slug] == key {
		return slug
	}
	return key
}

func slugOf(key string) string {
	_, slug, _ := strings.Cut(key, ".")
	return slug
}

// keyOf returns the key of an instance's values in the other buckets; empty: it has none,
// because its slug is another's name.
func keyOf(store *jets.Store, kind *pipeline.Kind, instance string) string {
	if other, _ := store.InstanceOf(instance); other != nil {
		return ""
	}
	return jets.Key(kind.Name, instance)
}

// Keyed is an entry that has no name yet.
type Keyed struct {
	pipeline.Entry
	Revision uint64
	Sealing  Sealing
}

// Parse parses a value of INTEGRATIONS. Its Kind is nil if it is none of the store's: others
// may share the bucket. A key such as okta.Acme.2 is the store's, but invalid.
func Parse(store *jets.Store, e jets.KVEntry) Keyed {
	kind, slug := store.InstanceOf(e.Key)
	if kind == nil {
		return Keyed{}
	}
	o := openValue(store.Secrets, kind, slug, e.Value)
	i, err := o.read(kind, slug)
	return Keyed{pipeline.Entry{Integration: i, Err: err}, e.Revision, o.Sealing}
}

// Named returns entries by their names. It settles the names first.
func Named(entries map[string]Keyed, names Names) map[string]pipeline.Entry {
	revisions := make(map[string]uint64, len(entries))
	for key, e := range entries {
		revisions[key] = e.Revision
	}
	names.Settle(revisions)
	named := make(map[string]pipeline.Entry, len(entries))
	for key, e := range entries {
		name := names.Of(key)
		if name == key {
			e.Entry = taken(key, names[slugOf(key)], e.Integration.Kind)
		}
		named[name] = e.Entry
	}
	return named
}

// taken is the entry of a key whose slug names the instance of another.
func taken(key, other string, kind *pipeline.Kind) pipeline.Entry {
	return pipeline.Entry{
		Integration: pipeline.Integration{Kind: kind, Instance: key},
		Err: &pipeline.ConfigError{Complaints: []schemas.Complaint{{
			Field: "instance", Problem: fmt.Sprintf("%s is the name of %s already (add it under another name, and remove %s)", slugOf(key), other, key),
		}}},
	}
}

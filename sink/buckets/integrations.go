package buckets

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Integrations reads the instances to poll from the bucket INTEGRATIONS, by the names that
// Names gives them.
type Integrations struct {
	Store *jets.Store
	Seen  *jets.SnapshotSeen // records each snapshot that Watch delivers; nil: none
	Log   *slog.Logger       // nil: none
}

var _ pipeline.Integrations = (*Integrations)(nil)

// Watch implements pipeline.Integrations. While NATS is away, the last entries stay. A
// deleted bucket is created again, empty: then there are no instances. The same holds for
// a purge, which a count detects within half a minute. Either is logged with the number
// of lost integrations. A name stays with the key that has it while that key exists.
func (i *Integrations) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	var entries, stood, missing map[string]Keyed
	var generation uint64
	names := Names{}
	seen := cmp.Or(i.Seen, new(jets.SnapshotSeen))
	seen.Begin()
	return i.Store.Follow(ctx, jets.BucketIntegrations, ">", jets.View{
		Lasting: true,
		Fresh: func() {
			entries, missing = map[string]Keyed{}, maps.Clone(stood)
			generation = i.Store.Conn.Generation()
		},
		Entry: func(e jets.KVEntry) {
			delete(missing, e.Key) // a deleted key is delivered, too
			tell(i.Store, entries, e)
		},
		Settled: func() {
			if len(missing) > 0 {
				jets.OrDiscard(i.Log).Warn("integrations are lost: INTEGRATIONS was deleted, purged or rolled back; import them again, they are not polled until then",
					"lost", len(missing), "left", len(entries))
				missing = nil
			}
			stood = maps.Clone(entries)
			changed(Named(entries, names))
			seen.Set(generation)
		},
		Ended: func() {},
	})
}

// All reads the integrations once.
func (i *Integrations) All(ctx context.Context, names Names) (map[string]pipeline.Entry, error) {
	entries := map[string]Keyed{}
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) { tell(i.Store, entries, e) })
	return Named(entries, names), err
}

// tell records the news of a key.
func tell(store *jets.Store, entries map[string]Keyed, e jets.KVEntry) {
	if e.Gone {
		delete(entries, e.Key)
	} else if k := Parse(store, e); k.Integration.Kind != nil {
		entries[e.Key] = k
	}
}

// Written is a value of INTEGRATIONS as stored, valid or not.
type Written struct {
	Kind     *pipeline.Kind
	Instance string
	Value    []byte // nil: there is none
	Revision uint64 // of the key, deleted or not; 0: never written
	At       time.Time
}

// Read parses the value.
func (w Written) Read() (pipeline.Integration, error) { return w.Kind.Read(w.Instance, w.Value) }

// Get reads an instance's value from the bucket's leader. If there is none, its kind is
// the store's first.
func (i *Integrations) Get(ctx context.Context, instance string) (Written, error) {
	if kind, slug := i.Store.InstanceOf(instance); kind != nil { // its name is its key: see Names
		w, err := i.get(ctx, kind, slug)
		w.Instance = instance
		return w, err
	}
	var found Written
	for _, kind := range i.Store.Kinds {
		w, err := i.get(ctx, kind, instance)
		if err != nil {
			return w, err
		}
		if found.Kind == nil || w.Value != nil && (found.Value == nil || w.Revision < found.Revision) {
			found = w
		}
	}
	return found, nil
}

func (i *Integrations) get(ctx context.Context, kind *pipeline.Kind, slug string) (Written, error) {
	w := Written{Kind: kind, Instance: slug}
	m, err := i.Store.Conn.Value(ctx, jets.BucketIntegrations, jets.Key(kind.Name, slug))
	w.Revision, w.Value = m.Seq, m.Data
	if w.Value != nil {
		w.At = m.Time
	}
	return w, err
}

// Written reads all values once, by instance.
func (i *Integrations) Written(ctx context.Context) ([]Written, error) {
	var all []Written
	revisions, names := map[string]uint64{}, Names{}
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) {
		if kind, _ := i.Store.InstanceOf(e.Key); kind != nil && !e.Gone {
			all = append(all, Written{Kind: kind, Instance: e.Key, Value: e.Value, Revision: e.Revision, At: e.At})
			revisions[e.Key] = e.Revision
		}
	})
	names.Settle(revisions)
	for n := range all {
		all[n].Instance = names.Of(all[n].Instance)
	}
	slices.SortFunc(all, func(a, b Written) int { return strings.Compare(a.Instance, b.Instance) })
	return all, err
}

// Of returns the integrations of a kind, for Put and Delete.
func (i *Integrations) Of(kind *pipeline.Kind) *Integrations {
	return &Integrations{Store: i.Store.Of(kind)}
}

// Put writes an instance's value if the key still has the revision; 0: if it was never
// written. It returns the new revision. Its error matches pipeline.ErrChanged when
// somebody else has written meanwhile.
func (i *Integrations) Put(ctx context.Context, instance string, value []byte, revision uint64) (uint64, error) {
	return i.Store.Conn.Put(ctx, jets.BucketIntegrations, i.key(instance), revision, &nats.Msg{Data: value})
}

// Delete deletes an instance's value with all former ones, because a token may be among
// them. Its errors are those of Put.
func (i *Integrations) Delete(ctx context.Context, instance string, revision uint64) error {
	_, err := i.Store.Conn.Put(ctx, jets.BucketIntegrations, i.key(instance), revision, &nats.Msg{Header: nats.Header{
		"KV-Operation": []string{"PURGE"}, "Nats-Rollup": []string{"sub"},
	}})
	return err
}

// key returns the key of an instance: its name, or that of the store's kind.
func (i *Integrations) key(instance string) string {
	if kind, _ := i.Store.InstanceOf(instance); kind != nil {
		return instance
	}
	return jets.Key(i.Store.Kind.Name, instance)
}

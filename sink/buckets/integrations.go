package buckets

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
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
	// Plain, unless nil, is called by Watch with each instance whose stored credential is
	// not sealed, and must not block.
	Plain func(instance string)
}

var _ pipeline.Integrations = (*Integrations)(nil)

// Watch implements pipeline.Integrations. While NATS is away, the last entries stay. A
// deleted bucket is created again, empty: then there are no instances. The same holds for
// a purge, which a count detects within half a minute. Either is logged with the number
// of lost integrations. A name stays with the key that has it while that key exists. When
// the process has other keys, all entries are read again.
func (i *Integrations) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	w := &integrationWatch{Integrations: i, names: Names{}, seen: cmp.Or(i.Seen, new(jets.SnapshotSeen)), changed: changed}
	w.seen.Begin()
	for {
		current, end := w.whileKeys(ctx)
		err := i.Store.Follow(current, jets.BucketIntegrations, ">", w.view())
		end()
		if ctx.Err() != nil || current.Err() == nil {
			return err
		}
	}
}

// integrationWatch is a Watch under way.
type integrationWatch struct {
	*Integrations
	names   Names
	seen    *jets.SnapshotSeen
	changed func(map[string]pipeline.Entry)

	entries, stood, missing map[string]Keyed
	plain                   []string // keys of entries that are not sealed, new since it last settled
	generation              uint64
}

// whileKeys returns a context that ends when the process has other keys.
func (w *integrationWatch) whileKeys(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	keys := w.Store.Secrets.Keys
	if keys == nil {
		return ctx, cancel
	}
	changed := keys.Changed()
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		cancel()
	})
	return ctx, func() { cancel(); wg.Wait() }
}

func (w *integrationWatch) view() jets.View {
	return jets.View{
		Lasting: true,
		Fresh: func() {
			w.entries, w.missing = map[string]Keyed{}, maps.Clone(w.stood)
			w.generation = w.Store.Conn.Generation()
		},
		Entry: func(e jets.KVEntry) {
			delete(w.missing, e.Key) // a deleted key is delivered, too
			tell(w.Store, w.entries, e)
			if k, ok := w.entries[e.Key]; ok && k.Sealing == SealPlain && w.Plain != nil {
				w.plain = append(w.plain, e.Key)
			}
		},
		Settled: func() {
			if len(w.missing) > 0 {
				jets.OrDiscard(w.Log).Warn("integrations are lost: INTEGRATIONS was deleted, purged or rolled back; import them again, they are not polled until then",
					"lost", len(w.missing), "left", len(w.entries))
				w.missing = nil
			}
			w.stood = maps.Clone(w.entries)
			w.changed(Named(w.entries, w.names))
			w.seen.Set(w.generation)
			for _, key := range w.plain {
				w.Plain(w.names.Of(key))
			}
			w.plain = nil
		},
		Ended: func() {},
	}
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

// Written is a value of INTEGRATIONS, valid or not.
type Written struct {
	Kind     *pipeline.Kind
	Instance string
	Value    []byte // with its credentials opened, if a key of the process does; nil: there is none
	Revision uint64 // of the key, deleted or not; 0: never written
	At       time.Time
	Sealing  Sealing // how the credentials are stored
	Shut     string  // why sealed ones can't be opened; empty: they were

	Moved []string // members of the stored value that stood elsewhere: see pipeline.Kind.Place

	dir string // see pipeline.Secrets
}

// Read parses the value.
func (w Written) Read() (pipeline.Integration, error) {
	return opened{w.Value, w.Sealing, w.Shut, w.Moved, w.dir}.read(w.Kind, w.Instance)
}

// open opens the credentials of a value as it is stored at a key of a slug.
func (w *Written) open(secrets pipeline.Secrets, slug string, value []byte) {
	if value == nil {
		return
	}
	o := openValue(secrets, w.Kind, slug, value)
	w.Value, w.Sealing, w.Shut, w.Moved, w.dir = o.Value, o.Sealing, o.Shut, o.Moved, o.dir
}

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
	w.Revision = m.Seq
	if w.open(i.Store.Secrets, slug, m.Data); w.Value != nil {
		w.At = m.Time
	}
	return w, err
}

// FormerPlain returns the instances of which the bucket keeps a former value with a secret in
// plain, while the newest has none. Seal removes it.
func (i *Integrations) FormerPlain(ctx context.Context) ([]string, error) {
	former, names := map[string]bool{}, map[string]uint64{}
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", true, func(e jets.KVEntry) {
		kind, _ := i.Store.InstanceOf(e.Key)
		if kind == nil {
			return
		}
		names[e.Key] = e.Revision
		if plain := !e.Gone && sealingOf(kind, e.Value) == SealPlain; plain {
			former[e.Key] = false // it is the newest so far
		} else if _, held := former[e.Key]; held {
			former[e.Key] = true
		}
	})
	settled := Names{}
	settled.Settle(names)
	var instances []string
	for key, plain := range former {
		if plain {
			instances = append(instances, settled.Of(key))
		}
	}
	slices.Sort(instances)
	return instances, jets.IgnoreMissingBucket(err)
}

// Written reads all values once, by instance.
func (i *Integrations) Written(ctx context.Context) ([]Written, error) {
	var all []Written
	revisions, names := map[string]uint64{}, Names{}
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) {
		if kind, slug := i.Store.InstanceOf(e.Key); kind != nil && !e.Gone {
			w := Written{Kind: kind, Instance: e.Key, Revision: e.Revision, At: e.At}
			w.open(i.Store.Secrets, slug, e.Value)
			all = append(all, w)
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
// written. Secrets in it are sealed, if the process has a key. It returns the new revision.
// Its error matches pipeline.ErrChanged when somebody else has written meanwhile.
//
// A former value that holds a secret in plain is removed by the same write: whatever a
// restart finds, it is the former values or the new one.
func (i *Integrations) Put(ctx context.Context, instance string, value []byte, revision uint64) (uint64, error) {
	value, _ = i.Store.Kind.Place(value)
	m := &nats.Msg{Data: value}
	if i.Store.Secrets.Keys != nil {
		sealed, err := sealValue(i.Store.Secrets.Keys, i.Store.Kind, slugOf(i.key(instance)), value)
		if err != nil {
			return 0, fmt.Errorf("write %s: %w", instance, err)
		}
		m.Data = sealed
		if revision > 0 && i.heldPlain(ctx, instance) {
			m.Header = nats.Header{"Nats-Rollup": []string{"sub"}} // no KV-Operation: to a watch it is a new value
		}
	}
	return i.Store.Conn.Put(ctx, jets.BucketIntegrations, i.key(instance), revision, m)
}

// heldPlain reports whether a value that the bucket keeps of an instance, the newest or a
// former one, holds a secret in plain. If that can't be read, none does.
func (i *Integrations) heldPlain(ctx context.Context, instance string) bool {
	kept, _ := i.History(ctx, instance)
	return slices.ContainsFunc(kept, func(w Written) bool { return w.Sealing == SealPlain })
}

// History reads the values that the bucket keeps of an instance, from the oldest to the
// newest.
func (i *Integrations) History(ctx context.Context, instance string) ([]Written, error) {
	var all []Written
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, i.key(instance), true, func(e jets.KVEntry) {
		if kind, slug := i.Store.InstanceOf(e.Key); kind != nil && !e.Gone {
			w := Written{Kind: kind, Instance: instance, Revision: e.Revision, At: e.At}
			w.open(i.Store.Secrets, slug, e.Value)
			all = append(all, w)
		}
	})
	return all, err
}

// Seal seals an instance's stored credentials in place with the first key, and removes
// former values with plain ones. The integration stays as it is for all who can open it.
// Its errors are those of Put.
func (i *Integrations) Seal(ctx context.Context, w Written) error {
	_, err := i.Of(w.Kind).Put(ctx, w.Instance, w.Value, w.Revision)
	return err
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

package buckets

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Integrations reads the instances to poll from the bucket INTEGRATIONS.
type Integrations struct {
	Store *jets.Store
	Seen  *jets.SnapshotSeen // records each snapshot that Watch delivers; nil: none
	Log   *slog.Logger       // nil: none
}

var _ pipeline.Integrations = (*Integrations)(nil)

// Watch implements pipeline.Integrations. While NATS is away, the last entries stay. A
// deleted bucket is created again, empty: then there are no instances. The same holds for
// a purge, which a count detects within half a minute. Either is logged with the number
// of lost integrations.
func (i *Integrations) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	var entries, stood, missing map[string]pipeline.Entry
	var generation uint64
	i.Seen.Begin()
	return i.Store.Follow(ctx, jets.BucketIntegrations, ">", jets.View{
		Lasting: true,
		Fresh: func() {
			entries, missing = map[string]pipeline.Entry{}, maps.Clone(stood)
			generation = i.Store.Conn.Generation()
		},
		Entry: func(e jets.KVEntry) {
			// Other kinds of integration may share the bucket. A key such as okta.Acme.2
			// is ours, but invalid.
			instance, ours := jets.KeyInstance(i.Store.Kind.Name, e.Key)
			delete(missing, instance) // a deleted key is delivered, too
			switch {
			case !ours:
			case e.Gone:
				delete(entries, instance)
			default:
				entries[instance] = Parse(i.Store.Kind, instance, e.Value)
			}
		},
		Settled: func() {
			if len(missing) > 0 {
				jets.OrDiscard(i.Log).Warn("integrations are lost: INTEGRATIONS was deleted, purged or rolled back; import them again, they are not polled until then",
					"lost", len(missing), "left", len(entries))
				missing = nil
			}
			stood = maps.Clone(entries)
			changed(stood)
			i.Seen.Set(generation)
		},
		Ended: func() {},
	})
}

// All reads the integrations once.
func (i *Integrations) All(ctx context.Context) (map[string]pipeline.Entry, error) {
	entries := map[string]pipeline.Entry{}
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) {
		if instance, ours := jets.KeyInstance(i.Store.Kind.Name, e.Key); ours && !e.Gone {
			entries[instance] = Parse(i.Store.Kind, instance, e.Value)
		}
	})
	return entries, err
}

// Parse parses a value of INTEGRATIONS.
func Parse(kind *pipeline.Kind, instance string, value []byte) pipeline.Entry {
	i, err := kind.Read(instance, value)
	return pipeline.Entry{Integration: i, Err: err}
}

// Written is a value of INTEGRATIONS as stored, valid or not.
type Written struct {
	Instance string
	Value    []byte // nil: there is none
	Revision uint64 // of the key, deleted or not; 0: never written
	At       time.Time
}

// Get reads an instance's value from the bucket's leader.
func (i *Integrations) Get(ctx context.Context, instance string) (Written, error) {
	w := Written{Instance: instance}
	m, err := i.Store.Conn.Value(ctx, jets.BucketIntegrations, jets.Key(i.Store.Kind.Name, instance))
	if errors.Is(err, jets.ErrNoMessage) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	w.Revision = m.Seq
	if !jets.Gone(m.Header) {
		w.Value, w.At = m.Data, m.Time
	}
	return w, nil
}

// Written reads all values once, by instance.
func (i *Integrations) Written(ctx context.Context) ([]Written, error) {
	var all []Written
	err := i.Store.Conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) {
		if instance, ours := jets.KeyInstance(i.Store.Kind.Name, e.Key); ours && !e.Gone {
			all = append(all, Written{Instance: instance, Value: e.Value, Revision: e.Revision, At: e.At})
		}
	})
	slices.SortFunc(all, func(a, b Written) int { return strings.Compare(a.Instance, b.Instance) })
	return all, err
}

// Put writes an instance's value if the key still has the revision; 0: if it was never
// written. It returns the new revision. Its error matches pipeline.ErrChanged when
// somebody else has written meanwhile.
func (i *Integrations) Put(ctx context.Context, instance string, value []byte, revision uint64) (uint64, error) {
	return i.Store.Conn.Put(ctx, jets.BucketIntegrations, jets.Key(i.Store.Kind.Name, instance), revision, &nats.Msg{Data: value, Header: nats.Header{}})
}

// Delete deletes an instance's value with all former ones, because a token may be among
// them. Its errors are those of Put.
func (i *Integrations) Delete(ctx context.Context, instance string, revision uint64) error {
	_, err := i.Store.Conn.Put(ctx, jets.BucketIntegrations, jets.Key(i.Store.Kind.Name, instance), revision, &nats.Msg{Header: nats.Header{
		"KV-Operation": []string{"PURGE"}, "Nats-Rollup": []string{"sub"},
	}})
	return err
}

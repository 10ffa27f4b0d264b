// Package overview combines STATUS, INTEGRATIONS and LOCKS into one picture of all
// processes and instances.
//
// It takes no part in polling, and creates nothing in NATS.
//
// Start reading at [Watcher].
package overview

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
)

// Overview is the content of STATUS, INTEGRATIONS and LOCKS at one time.
type Overview struct {
	Statuses []pipeline.Status         // by instance
	Entries  map[string]pipeline.Entry // by instance
	Replicas locks.Replicas

	Complete bool  // everything was read once; before that the rest is empty
	Away     error // why a bucket can't be watched at present, so that its last content is shown
}

// Watcher keeps an Overview up to date. It changes nothing in NATS. It is safe for
// concurrent use.
type Watcher struct {
	Log   *slog.Logger // of faults in the program; nil: none
	store *jets.Store

	mu      sync.Mutex
	buckets map[string]*bucketView
}

// bucketView is the content of one bucket.
type bucketView struct {
	read   func(jets.KVEntry) any
	told   bool
	away   error
	values map[string]any // by key
}

// New returns a watcher of the buckets; Run keeps it up to date.
func New(store *jets.Store) *Watcher {
	return &Watcher{store: store, buckets: map[string]*bucketView{
		jets.BucketStatus:       {read: func(e jets.KVEntry) any { return buckets.StatusOf(store, e) }},
		jets.BucketIntegrations: {read: func(e jets.KVEntry) any { return buckets.Parse(store, e) }},
		jets.BucketLocks:        {read: func(e jets.KVEntry) any { return e }},
	}}
}

// Run watches until ctx ends. While NATS is away, the last content stays.
func (l *Watcher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for bucket, o := range l.buckets {
		wg.Go(func() {
			_ = pipeline.ContainRun(ctx, jets.OrDiscard(l.Log), "watch of "+bucket, func(ctx context.Context) error { return l.follow(ctx, bucket, o) })
		})
	}
	wg.Wait()
	return ctx.Err()
}

func (l *Watcher) follow(ctx context.Context, bucket string, o *bucketView) error {
	backoff := pipeline.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for l.store.Conn.Up(ctx) == nil {
		var next map[string]any
		err := l.store.Conn.Watch(ctx, bucket, ">", false, jets.View{
			Lasting: bucket == jets.BucketIntegrations,
			Fresh:   func() { next = map[string]any{} },
			Entry: func(e jets.KVEntry) {
				l.mu.Lock()
				defer l.mu.Unlock()
				if e.Gone {
					delete(next, e.Key)
					return
				}
				next[e.Key] = o.read(e)
			},
			Settled: func() { l.settle(o, next, nil); backoff.Reset() },
			Ended:   func() {},
		})
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			l.settle(o, map[string]any{}, nil) // a bucket that does not exist is empty
		} else {
			l.settle(o, nil, err)
		}
		if pipeline.Sleep(ctx, backoff.Next()) != nil {
			break
		}
	}
	return ctx.Err()
}

func (l *Watcher) settle(o *bucketView, values map[string]any, away error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.away = away
	if away == nil {
		o.told, o.values = true, values
	}
}

// Look returns the current Overview.
func (l *Watcher) Look() Overview {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := Overview{Entries: map[string]pipeline.Entry{}, Replicas: locks.NewReplicas(), Complete: true}
	for _, o := range l.buckets {
		v.Complete = v.Complete && o.told
		if o.away != nil {
			v.Away = o.away
		}
	}
	if !v.Complete {
		return v
	}
	statuses := l.buckets[jets.BucketStatus].values
	for _, key := range slices.Sorted(maps.Keys(statuses)) {
		if s := statuses[key].(pipeline.Status); s.Kind != nil {
			v.Statuses = append(v.Statuses, s)
		}
	}
	entries := map[string]buckets.Keyed{}
	for key, entry := range l.buckets[jets.BucketIntegrations].values {
		if k := entry.(buckets.Keyed); k.Integration.Kind != nil {
			entries[key] = k
		}
	}
	for _, e := range l.buckets[jets.BucketLocks].values {
		v.Replicas.Told(l.store, e.(jets.KVEntry))
	}
	v.Entries = buckets.Named(entries, named(v.Replicas))
	return v
}

// named returns the names of the instances that are polled.
func named(r locks.Replicas) buckets.Names {
	names := buckets.Names{}
	for key := range r.Locks {
		if r.Holder(key) != "" {
			names.Take(key)
		}
	}
	return names
}

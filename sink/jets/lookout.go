package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// Overview is the content of STATUS, INTEGRATIONS and LOCKS at one time.
type Overview struct {
	Statuses []pipeline.Status         // by instance
	Entries  map[string]pipeline.Entry // by instance
	Replicas Replicas

	Complete bool  // everything was read once; before that the rest is empty
	Away     error // why a bucket can't be watched at present, so that its last content is shown
}

// Lookout keeps an Overview up to date. It changes nothing in NATS. It is safe for
// concurrent use.
type Lookout struct {
	conn *Conn

	mu      sync.Mutex
	buckets map[string]*outlook
}

// outlook is the content of one bucket.
type outlook struct {
	read   func(kvEntry) any
	told   bool
	away   error
	values map[string]any // by key
}

// NewLookout returns a watcher of the buckets; Run keeps it up to date.
func NewLookout(conn *Conn, kind *pipeline.Kind) *Lookout {
	return &Lookout{conn: conn, buckets: map[string]*outlook{
		BucketStatus:       {read: func(e kvEntry) any { return statusOf(e) }},
		BucketIntegrations: {read: func(e kvEntry) any { return parse(kind, strings.TrimPrefix(e.key, keyPrefix), e.value) }},
		BucketLocks:        {read: func(e kvEntry) any { return e }},
	}}
}

// Run watches until ctx ends. While NATS is away, the last content stays.
func (l *Lookout) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for bucket, o := range l.buckets {
		wg.Go(func() { l.follow(ctx, bucket, o) })
	}
	wg.Wait()
	return ctx.Err()
}

func (l *Lookout) follow(ctx context.Context, bucket string, o *outlook) {
	backoff := pipeline.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for l.conn.Up(ctx) == nil {
		var next map[string]any
		err := l.conn.watch(ctx, bucket, ">", false, view{
			lasting: bucket == BucketIntegrations,
			fresh:   func() { next = map[string]any{} },
			entry: func(e kvEntry) {
				l.mu.Lock()
				defer l.mu.Unlock()
				if e.gone {
					delete(next, e.key)
					return
				}
				next[e.key] = o.read(e)
			},
			settled: func() { l.settle(o, next, nil); backoff.Reset() },
			ended:   func() {},
		})
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			l.settle(o, map[string]any{}, nil) // a bucket that does not exist is empty
		} else {
			l.settle(o, nil, err)
		}
		if pipeline.Sleep(ctx, backoff.Next()) != nil {
			return
		}
	}
}

func (l *Lookout) settle(o *outlook, values map[string]any, away error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.away = away
	if away == nil {
		o.told, o.values = true, values
	}
}

// Look returns the current Overview.
func (l *Lookout) Look() Overview {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := Overview{Entries: map[string]pipeline.Entry{}, Replicas: newReplicas(), Complete: true}
	for _, o := range l.buckets {
		v.Complete = v.Complete && o.told
		if o.away != nil {
			v.Away = o.away
		}
	}
	if !v.Complete {
		return v
	}
	statuses := l.buckets[BucketStatus].values
	for _, key := range slices.Sorted(maps.Keys(statuses)) {
		if strings.HasPrefix(key, keyPrefix) {
			v.Statuses = append(v.Statuses, statuses[key].(pipeline.Status))
		}
	}
	for key, entry := range l.buckets[BucketIntegrations].values {
		if instance, ours := strings.CutPrefix(key, keyPrefix); ours {
			v.Entries[instance] = entry.(pipeline.Entry)
		}
	}
	for _, e := range l.buckets[BucketLocks].values {
		v.Replicas.told(e.(kvEntry))
	}
	return v
}

// statusOf reads a value of STATUS; one that can't be read says so in its LastError.
func statusOf(e kvEntry) pipeline.Status {
	var status pipeline.Status
	if err := json.Unmarshal(e.value, &status); err != nil {
		status = pipeline.Status{Version: 1, State: pipeline.StateNew, LastError: fmt.Sprintf("status can't be read: %v", err)}
	}
	status.Instance = strings.TrimPrefix(e.key, keyPrefix)
	return status
}

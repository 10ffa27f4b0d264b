package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/witfoo/signal-client/pipeline"
)

// A watch gets at least a heartbeat from its server. After watchSilence it counts as
// dead, whatever the reason: a server that is gone, or a bucket that was deleted,
// recreated or not.
const (
	watchHeartbeat = 2 * time.Second
	WatchSilence   = 5 * time.Second
)

// countEvery is how often a lasting bucket's keys are counted: no watch shows a purge.
const countEvery = 30 * time.Second

// KVEntry is a bucket's entry, or its deletion.
type KVEntry struct {
	Key      string
	Value    []byte
	Revision uint64
	At       time.Time     // when it was stored
	TTL      time.Duration // expires after it; 0: never
	Gone     bool          // deleted, purged or expired
	Expired  bool          // by its TTL
}

// View receives the content of a bucket, all from the watching goroutine.
type View struct {
	Lasting bool          // keys don't expire: a missing one was purged
	Fresh   func()        // earlier content is void: all entries come again
	Entry   func(KVEntry) // a current or changed entry
	Settled func()        // everything was delivered; also called after changes
	Ended   func()        // no news until the next fresh
}

// Follow keeps v up to date with a bucket's keys until ctx ends. After a reconnect, and
// whenever the watch is in doubt, it starts again: a watch of nats.go would continue from
// its last sequence, which a recreated bucket has not reached. A deleted bucket is
// created again.
func (s *Store) Follow(ctx context.Context, bucket, keys string, v View) error {
	backoff := pipeline.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for {
		if err := s.Conn.Up(ctx); err != nil {
			return err
		}
		began := time.Now()
		err := s.Conn.Watch(ctx, bucket, keys, false, v)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.Ended()
		s.config.Log.Debug("watch restarted", "bucket", bucket, "err", err)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s.Restore(ctx)
		}
		if time.Since(began) > time.Minute {
			backoff.Reset()
		}
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return err
		}
	}
}

// Restore creates deleted streams and buckets again, or logs why it can't.
func (s *Store) Restore(ctx context.Context) {
	if err := s.Ensure(ctx); err != nil && ctx.Err() == nil {
		s.config.Log.Warn("streams and buckets could not be restored", "err", err)
	}
}

// Each calls found for a bucket's entries under keys: all revisions, or the newest of each.
func (c *Conn) Each(ctx context.Context, bucket, keys string, history bool, found func(KVEntry)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := c.Watch(ctx, bucket, keys, history, View{
		Fresh: func() {}, Entry: found, Settled: func() { cancel() },
	})
	if errors.Is(err, context.Canceled) && ctx.Err() == context.Canceled {
		return nil
	}
	return err
}

// Watch delivers a bucket's content and changes to v until ctx ends or it is in doubt.
func (c *Conn) Watch(ctx context.Context, bucket, keys string, history bool, v View) error {
	ctx, done := c.Epoch(ctx)
	defer done()
	sub, err := c.NATS.SubscribeSync(c.NATS.NewInbox())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // the server drops a consumer without a subscriber
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	v.Fresh() // before the consumer, so that everything acknowledged until now is delivered before it settles
	held := horizon{conn: c, bucket: bucket, keys: keys}
	if err := held.look(ctx); err != nil {
		return fmt.Errorf("watch %s: %w", bucket, err)
	}
	waiting, err := c.consume(ctx, bucket, keys, sub.Subject, history)
	if err != nil {
		return fmt.Errorf("watch %s: %w", bucket, err)
	}
	told := waiting == 0 // everything that the server had was delivered
	expected := uint64(1)
	seen, counted := map[string]bool{}, time.Now()
	for {
		// A burst settles once: thousands of imported orgs are not distributed again for each.
		if here, _, _ := sub.Pending(); told && held.reached() && here == 0 && ctx.Err() == nil {
			v.Settled()
			told = false
		}
		if v.Lasting && time.Since(counted) >= countEvery {
			if err := c.recount(ctx, bucket, len(seen)); err != nil {
				return fmt.Errorf("watch %s: %w", bucket, err)
			}
			counted = time.Now()
		}
		m, err := next(ctx, sub)
		if err != nil {
			return fmt.Errorf("watch %s: %w", bucket, err)
		}
		if m.Reply == "" || m.Header.Get("Status") != "" { // a heartbeat
			if !held.reached() {
				_ = held.look(ctx) // the message that it waits for may be gone
			}
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("watch %s: %w", bucket, err)
		}
		if meta.Sequence.Consumer != expected {
			return fmt.Errorf("watch %s: message %d is missing", bucket, expected)
		}
		expected++
		held.told = meta.Sequence.Stream
		entry := newKVEntry(bucket, m, meta)
		if v.Lasting {
			seen[entry.Key] = true
		}
		v.Entry(entry)
		told = meta.NumPending == 0
	}
}

// horizon is how far a watch must have come before it has delivered everything: what the
// leader held when it began. The replica that feeds a watch may be far behind, after a
// restart of its server, and does not know what it lacks.
type horizon struct {
	conn         *Conn
	bucket, keys string

	last uint64 // the leader's newest sequence under keys; 0: none
	told uint64 // the newest sequence delivered
}

// look asks the leader. It never moves the horizon farther away, but nearer if a purge or
// an age limit has removed the newest message.
func (h *horizon) look(ctx context.Context) error {
	m, err := h.conn.Last(ctx, BucketStream(h.bucket), BucketSubject(h.bucket, h.keys))
	switch {
	case errors.Is(err, ErrNoMessage):
		h.last = 0
	case err != nil:
		return err
	case h.last == 0 || m.Seq < h.last:
		h.last = m.Seq
	}
	return nil
}

// reached reports whether everything that the leader held was delivered.
func (h *horizon) reached() bool { return h.told >= h.last }

// recount returns an error if a bucket holds fewer keys, deleted ones included, than a watch of
// all its keys has seen. A key that was added meanwhile can hide that until the next count;
// nothing else looks like it. If the bucket can't be asked, the watch decides.
func (c *Conn) recount(ctx context.Context, bucket string, seen int) error {
	have, err := c.Info(ctx, BucketStream(bucket))
	if err == nil && have.State.NumSubjects < uint64(seen) {
		return fmt.Errorf("%d keys of %d have disappeared", uint64(seen)-have.State.NumSubjects, seen)
	}
	return nil
}

// next returns the next message, unless the watch is silent for too long.
func next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	quiet, cancel := context.WithTimeout(ctx, WatchSilence)
	defer cancel()
	m, err := sub.NextMsgWithContext(quiet)
	if err == nil {
		return m, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// consume creates a consumer that sends a bucket's entries to a subject, and returns how
// many exist already. The server deletes it.
func (c *Conn) consume(ctx context.Context, bucket, keys, deliver string, history bool) (uint64, error) {
	stream, filter, name := BucketStream(bucket), BucketSubject(bucket, keys), nuid.Next()
	policy := "last_per_subject"
	if history {
		policy = "all"
	}
	request := map[string]any{"stream_name": stream, "config": map[string]any{
		"name": name, "deliver_subject": deliver, "filter_subject": filter,
		"deliver_policy": policy, "ack_policy": "none", "replay_policy": "instant", "max_deliver": 1,
		"idle_heartbeat": watchHeartbeat, "mem_storage": true, "num_replicas": 1,
	}}
	var made struct {
		NumPending uint64 `json:"num_pending"`
		Delivered  struct {
			Consumer uint64 `json:"consumer_seq"`
		} `json:"delivered"`
	}
	err := c.Ask(ctx, "CONSUMER.CREATE."+stream+"."+name+"."+filter, request, &made)
	return made.NumPending + made.Delivered.Consumer, err
}

func newKVEntry(bucket string, m *nats.Msg, meta *nats.MsgMetadata) KVEntry {
	ttl, _ := time.ParseDuration(m.Header.Get("Nats-TTL"))
	return KVEntry{
		TTL:      ttl,
		Key:      strings.TrimPrefix(m.Subject, BucketSubject(bucket, "")),
		Value:    m.Data,
		Revision: meta.Sequence.Stream,
		At:       meta.Timestamp,
		Gone:     Gone(m.Header),
		Expired:  m.Header.Get("Nats-Marker-Reason") == "MaxAge",
	}
}

// Gone reports whether a message marks its key as deleted, purged or expired.
func Gone(h nats.Header) bool {
	return h.Get("KV-Operation") != "" && h.Get("KV-Operation") != "PUT" || h.Get("Nats-Marker-Reason") != ""
}

// Encode encodes a value that can always be encoded.
func Encode(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

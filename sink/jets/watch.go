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

// A watch hears from its server at least each heartbeat; after silence it is
// taken for dead, whatever the reason: a server that is gone, a bucket that was
// deleted, and made anew or not.
const (
	watchHeartbeat = 2 * time.Second
	watchSilence   = 5 * time.Second
)

// countEvery is how often the keys of a bucket are counted, where those that
// nobody deleted would be missed: a purge of its stream tells no watch.
const countEvery = 30 * time.Second

// kvEntry is a value of a bucket, or the news that it is gone.
type kvEntry struct {
	key      string
	value    []byte
	revision uint64
	at       time.Time     // when it was stored
	ttl      time.Duration // after which it goes; 0: it stays
	gone     bool          // deleted, purged or expired
	expired  bool          // by its TTL
}

// view is told what a bucket holds. All calls come from the goroutine that
// watches, one at a time.
type view struct {
	lasting bool          // keys don't go by themselves: one that is missing was purged
	fresh   func()        // what was known is void: all entries come again
	entry   func(kvEntry) // one that stands, or has changed
	settled func()        // all that is there was told; after each change too
	ended   func()        // no news until the next fresh
}

// follow keeps v informed of a bucket's keys until ctx ends. After a reconnect,
// and whenever the watch is in doubt, it begins afresh: the watch of nats.go
// would go on from its last sequence, which in a bucket made anew is far ahead
// of everything. A bucket that was deleted is made anew.
func (s *Store) follow(ctx context.Context, bucket, keys string, v view) error {
	backoff := pipeline.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for {
		if err := s.Conn.Up(ctx); err != nil {
			return err
		}
		began := time.Now()
		err := s.Conn.watch(ctx, bucket, keys, false, v)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v.ended()
		s.config.Log.Debug("watch is made anew", "bucket", bucket, "err", err)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s.restore(ctx)
		}
		if time.Since(began) > time.Minute {
			backoff.Reset()
		}
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return err
		}
	}
}

// restore makes anew what was deleted, or says why it can't.
func (s *Store) restore(ctx context.Context) {
	if err := s.Ensure(ctx); err != nil && ctx.Err() == nil {
		s.config.Log.Warn("streams and buckets are not as they must be", "err", err)
	}
}

// each calls found for what a bucket holds under keys: with history all that it
// remembers, else the newest of each.
func (c *Conn) each(ctx context.Context, bucket, keys string, history bool, found func(kvEntry)) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := c.watch(ctx, bucket, keys, history, view{
		fresh: func() {}, entry: found, settled: func() { cancel() },
	})
	if errors.Is(err, context.Canceled) && ctx.Err() == context.Canceled {
		return nil
	}
	return err
}

// watch tells v what stands and what changes, until ctx ends or the watch can't
// be relied on any more. It never returns nil.
func (c *Conn) watch(ctx context.Context, bucket, keys string, history bool, v view) error {
	ctx, done := c.Epoch(ctx)
	defer done()
	sub, err := c.NATS.SubscribeSync(c.NATS.NewInbox())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // the server forgets a consumer without interest
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	v.fresh() // before the consumer: what is acked until now is told before it settles
	held := horizon{conn: c, bucket: bucket, keys: keys}
	if err := held.look(ctx); err != nil {
		return fmt.Errorf("watch %s: %w", bucket, err)
	}
	waiting, err := c.consume(ctx, bucket, keys, sub.Subject, history)
	if err != nil {
		return fmt.Errorf("watch %s: %w", bucket, err)
	}
	told := waiting == 0 // all that the server has for us
	expected := uint64(1)
	seen, counted := map[string]bool{}, time.Now()
	for {
		// What comes in a crowd settles once: thousands of integrations that are
		// imported are not shared out anew for each.
		if here, _, _ := sub.Pending(); told && held.reached() && here == 0 && ctx.Err() == nil {
			v.settled()
			told = false
		}
		if v.lasting && time.Since(counted) >= countEvery {
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
				_ = held.look(ctx) // what it waits for may be gone
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
		if v.lasting {
			seen[entry.key] = true
		}
		v.entry(entry)
		told = meta.NumPending == 0
	}
}

// horizon is how far a watch must have come before it has told all: what the leader
// held when the watch began. The copy that feeds a watch may trail far behind it,
// after a restart of its server, and knows nothing of what it lacks.
type horizon struct {
	conn         *Conn
	bucket, keys string

	last uint64 // sequence of the leader's newest message under keys; 0: none
	told uint64 // sequence of the newest that was told
}

// look asks the leader. It takes the horizon no farther than it was, but nearer
// where a purge or an age has taken the newest message away.
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

// reached reports whether all that the leader held was told.
func (h *horizon) reached() bool { return h.told >= h.last }

// recount returns an error when a bucket holds fewer keys, deleted ones among them,
// than a watch of all its keys has seen. One that was put since, and not told yet,
// can hide that until the next time, but nothing else looks like it. A bucket that
// can't be asked is left to the watch.
func (c *Conn) recount(ctx context.Context, bucket string, seen int) error {
	have, err := c.info(ctx, BucketStream(bucket))
	if err == nil && have.State.NumSubjects < uint64(seen) {
		return fmt.Errorf("%d keys of %d are gone without a word", uint64(seen)-have.State.NumSubjects, seen)
	}
	return nil
}

// next waits for a message, for as long as a watch may be silent.
func next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	quiet, cancel := context.WithTimeout(ctx, watchSilence)
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

// consume makes a consumer that sends a bucket's entries to a subject, and
// returns how many stand already. It is the server's to forget.
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
	err := c.ask(ctx, "CONSUMER.CREATE."+stream+"."+name+"."+filter, request, &made)
	return made.NumPending + made.Delivered.Consumer, err
}

func newKVEntry(bucket string, m *nats.Msg, meta *nats.MsgMetadata) kvEntry {
	ttl, _ := time.ParseDuration(m.Header.Get("Nats-TTL"))
	return kvEntry{
		ttl:      ttl,
		key:      strings.TrimPrefix(m.Subject, BucketSubject(bucket, "")),
		value:    m.Data,
		revision: meta.Sequence.Stream,
		at:       meta.Timestamp,
		gone:     gone(m.Header),
		expired:  m.Header.Get("Nats-Marker-Reason") == "MaxAge",
	}
}

// gone reports whether a message says that its key was deleted, purged, or has
// expired.
func gone(h nats.Header) bool {
	return h.Get("KV-Operation") != "" && h.Get("KV-Operation") != "PUT" || h.Get("Nats-Marker-Reason") != ""
}

// encode is for values that can always be encoded.
func encode(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

package jets

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// opened is a store on a server of the test's own.
func opened(t *testing.T, s *jetstest.Server, cfg Config) *Store {
	t.Helper()
	store, err := Open(t.Context(), dial(t, s), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func configOf(t *testing.T, c *Conn, stream string) jetstream.StreamConfig {
	t.Helper()
	s, err := c.JS.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func TestOpenMakesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := opened(t, jetstest.Run(t), Config{Kinds: oktaKinds, MaxBytes: LeastBytes})
		c := configOf(t, store.Conn, StreamSignals)
		if !c.AllowAtomicPublish || !c.AllowDirect || c.Discard != jetstream.DiscardOld || c.MaxBytes != LeastBytes ||
			c.Compression != jetstream.S2Compression || c.MaxAge != 90*24*time.Hour || c.Storage != jetstream.FileStorage ||
			strings.Join(c.Subjects, " ") != "signals.> signal-cursor.>" {
			t.Errorf("%s is made as %+v", StreamSignals, c)
		}
		if c := configOf(t, store.Conn, StreamDeadLetter); c.Duplicates != deadLetterWindow {
			t.Errorf("%s is made as %+v", StreamDeadLetter, c)
		}
		for bucket, history := range map[string]int64{BucketIntegrations: 5, BucketCursors: 10, BucketLocks: 1, BucketStatus: 1} {
			kv, err := store.Conn.JS.KeyValue(t.Context(), bucket)
			if err != nil {
				t.Fatal(err)
			}
			status, err := kv.Status(t.Context())
			if err != nil || status.History() != history {
				t.Errorf("%s has history %d (%v), want %d", bucket, status.History(), err, history)
			}
			if ttl := status.LimitMarkerTTL(); (ttl > 0) != (bucket == BucketLocks) {
				t.Errorf("%s has marker TTL %v", bucket, ttl)
			}
			if _, err := kv.Put(t.Context(), "okta.acme", []byte("{}")); err != nil {
				t.Error(err)
			}
			if err := kv.Purge(t.Context(), "okta.acme"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOpenRefusesTooFewBytes(t *testing.T) {
	if _, err := Open(t.Context(), nil, Config{Kinds: oktaKinds, MaxBytes: LeastBytes - 1}); err == nil {
		t.Error("opened")
	}
}

func TestOpenByManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		const n = 8
		var errs [n]error
		var wg sync.WaitGroup
		for i := range n {
			c := dial(t, s)
			wg.Go(func() {
				// One in two wants a stream that the others don't.
				_, errs[i] = Open(t.Context(), c, Config{Kinds: oktaKinds, MaxAge: time.Duration(24+i%2) * time.Hour})
			})
		}
		wg.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Error(err)
		}
	})
}

// What an operator created keeps its settings and gets what it lacks.
func TestOpenWidens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := dial(t, s)
		made := jetstream.StreamConfig{
			Name: StreamSignals, Subjects: []string{"signals.okta.>", "audit.>"}, Description: "ours",
			MaxBytes: 1 << 30, MaxAge: 48 * time.Hour, MaxMsgsPerSubject: 50_000, DenyPurge: true,
			Metadata: map[string]string{"team": "soc"}, Duplicates: time.Minute,
		}
		if _, err := c.JS.CreateStream(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		if _, err := c.JS.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: "KV_LOCKS", Subjects: []string{"$KV.LOCKS.>"}, MaxMsgsPerSubject: 1, AllowDirect: true, AllowRollup: true,
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.JS.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: BucketIntegrations}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.JS.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: BucketStream(BucketCursors), Subjects: []string{BucketSubject(BucketCursors, ">")}, AllowDirect: true, AllowRollup: true,
		}); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		cfg := Config{Kinds: oktaKinds, Log: slog.New(slog.NewTextHandler(&log, nil)), MaxBytes: LeastBytes}
		if _, err := Open(t.Context(), c, cfg); err != nil {
			t.Fatal(err)
		}
		got := configOf(t, c, StreamSignals)
		if !got.AllowAtomicPublish || !got.AllowDirect || strings.Join(got.Subjects, " ") != "audit.> signals.> signal-cursor.>" {
			t.Errorf("lacks something: %+v", got)
		}
		if got.MaxBytes != made.MaxBytes || got.MaxAge != made.MaxAge || got.MaxMsgsPerSubject != made.MaxMsgsPerSubject ||
			got.Description != "ours" || !got.DenyPurge || got.Metadata["team"] != "soc" || got.Duplicates != time.Minute {
			t.Errorf("was narrowed: %+v", got)
		}
		if locks := configOf(t, c, "KV_LOCKS"); !locks.AllowMsgTTL || locks.SubjectDeleteMarkerTTL != MarkerTTL {
			t.Errorf("LOCKS lacks TTLs: %+v", locks)
		}
		if c := configOf(t, c, BucketStream(BucketIntegrations)); c.MaxMsgsPerSubject != 5 {
			t.Errorf("INTEGRATIONS keeps %d revisions", c.MaxMsgsPerSubject)
		}
		if c := configOf(t, c, BucketStream(BucketCursors)); c.MaxMsgsPerSubject > 0 {
			t.Errorf("CURSORS kept all, now %d revisions", c.MaxMsgsPerSubject)
		}
		for _, said := range []string{"stream=SIGNALS added=\"allow_atomic=true", "max_bytes is 1073741824 and not"} {
			if !strings.Contains(log.String(), said) {
				t.Errorf("log does not say %s:\n%s", said, log.String())
			}
		}
		log.Reset()
		if _, err := Open(t.Context(), c, cfg); err != nil || strings.Contains(log.String(), "stream changed") {
			t.Errorf("second opening: %v\n%s", err, log.String())
		}
	})
}

func TestOpenRefusesUnfit(t *testing.T) {
	base := func(change func(*jetstream.StreamConfig)) jetstream.StreamConfig {
		c := jetstream.StreamConfig{Name: StreamSignals, Subjects: []string{"signals.>"}}
		change(&c)
		return c
	}
	cases := map[string]jetstream.StreamConfig{
		"mirror":               base(func(c *jetstream.StreamConfig) { c.Subjects, c.Mirror = nil, &jetstream.StreamSource{Name: "X"} }),
		"sealed":               base(func(c *jetstream.StreamConfig) { c.Sealed = true }),
		"no_ack":               base(func(c *jetstream.StreamConfig) { c.NoAck = true }),
		"retention":            base(func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }),
		"persist_mode":         base(func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }),
		"counters":             base(func(c *jetstream.StreamConfig) { c.AllowMsgCounter = true }),
		"max_msgs_per_subject": base(func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }),
		"max_msgs 5":           base(func(c *jetstream.StreamConfig) { c.MaxMsgs = 5 }),
		"max_msg_size":         base(func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }),
		"discard_new_per_subject": base(func(c *jetstream.StreamConfig) {
			c.Discard, c.DiscardNewPerSubject, c.MaxMsgsPerSubject = jetstream.DiscardNew, true, 1e6
		}),
		"subject_transform": base(func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "signals.>", Destination: "other.>"}
		}),
		"another stream takes them": {Name: "OTHER", Subjects: []string{"signals.okta.acme"}},
	}
	for want, made := range cases {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, jetstest.Run(t))
				sealed := made.Sealed
				made.Sealed = false
				if _, err := c.JS.CreateStream(t.Context(), made); err != nil {
					t.Fatal(err)
				}
				if made.Sealed = sealed; sealed {
					if _, err := c.JS.UpdateStream(t.Context(), made); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := Open(t.Context(), c, Config{Kinds: oktaKinds}); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A stream that is created again begins above every sequence that its cursors know.
func TestEnsureBeginsAboveOldFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := opened(t, jetstest.Run(t), Config{Kinds: oktaKinds})
		if e, err := store.Conn.Extent(t.Context()); err != nil || e.First < freshMargin || e.Last != e.First-1 {
			t.Errorf("first stream begins at %d after %d: %v", e.First, e.Last, err)
		}
		kv, err := store.Conn.JS.KeyValue(t.Context(), BucketCursors)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"okta.a": `{"stream_seq":5000000}`, "okta.b": `{"stream_seq":7}`, "okta.c": `no json`} {
			if _, err := kv.PutString(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
		}
		before, err := store.Conn.Extent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := store.Conn.JS.DeleteStream(t.Context(), StreamSignals); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Conn.Extent(t.Context()); !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Errorf("deleted stream: %v", err)
		}
		if err := store.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		e, err := store.Conn.Extent(t.Context())
		if err != nil || e.First < 5_000_000+3*freshPerKey+freshMargin || !e.Created.After(before.Created) {
			t.Errorf("begins at %d, made %v (before %v): %v", e.First, e.Created, before.Created, err)
		}
	})
}

func TestReplicasWithoutCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := Open(t.Context(), dial(t, jetstest.Run(t)), Config{Kinds: oktaKinds, Replicas: 3})
		if err == nil || !strings.Contains(err.Error(), "no more replicas than the cluster has servers") {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		c := dial(t, s)
		s.Stop()
		synctest.Wait()
		if _, err := Open(t.Context(), c, Config{Kinds: oktaKinds}); !errors.Is(err, ErrDisconnected) {
			t.Errorf("server away: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Open(ctx, c, Config{Kinds: oktaKinds}); err == nil {
			t.Error("context ended: opened")
		}
	})
}

func TestWiden(t *testing.T) {
	cases := []struct{ have, want, result string }{
		{"signals.> signal-cursor.>", "signals.> signal-cursor.>", ""},
		{">", "signals.> signal-cursor.>", ""},
		{"signals.>", "signals.> signal-cursor.>", "signals.> signal-cursor.>"},
		{"signals.*.>", "signals.>", "signals.>"},
		{"signals.okta.a signals.okta.b x", "signals.>", "x signals.>"},
		{"*.>", "signals.>", ""},
		{"signals", "signals.>", "signals signals.>"},
		{"signals.*", "signals.>", "signals.>"},
	}
	for _, c := range cases {
		got := widen(strings.Fields(c.have), strings.Fields(c.want))
		if strings.Join(got, " ") != c.result {
			t.Errorf("%s to take %s: %v", c.have, c.want, got)
		}
	}
}

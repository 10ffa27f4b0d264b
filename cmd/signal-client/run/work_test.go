package run

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// A process that ends releases its locks before it waits for its last writes to STATUS,
// however long they take.
func TestLocksAreFreedBeforeStatusIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, err := jets.Connect(t.Context(), "", jetstest.Run(t).Option())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()})
		if err != nil {
			t.Fatal(err)
		}
		deaf(t, store)
		var freed time.Time
		var mu sync.Mutex
		sub, err := conn.NATS.Subscribe(jets.BucketSubject(jets.BucketLocks, "session.*"), func(m *nats.Msg) {
			mu.Lock()
			defer mu.Unlock()
			if m.Header.Get("KV-Operation") == "DEL" {
				freed = time.Now()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sub.Unsubscribe() })

		s := &Service{Log: slog.New(slog.DiscardHandler)}
		if err := s.count(); err != nil {
			t.Fatal(err)
		}
		s.Config.Process.Replica, s.Config.Process.SessionTTL = "a", config.Duration(10*time.Second)
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, stop)
		began := time.Now()
		if err := s.work(ctx, store); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began) - time.Minute
		mu.Lock()
		defer mu.Unlock()
		if late := freed.Sub(began) - time.Minute; freed.IsZero() || late > 100*time.Millisecond || took < time.Second {
			t.Errorf("locks are freed after %s, of the %s that the end took", late, took)
		}
	})
}

// deaf makes STATUS such that nothing written there is ever answered, and an
// entry whose error is to be written there.
func deaf(t *testing.T, store *jets.Store) {
	t.Helper()
	js := store.Conn.JS
	if err := js.DeleteStream(t.Context(), jets.BucketStream(jets.BucketStatus)); err != nil {
		t.Fatal(err)
	}
	sub, err := store.Conn.NATS.SubscribeSync(jets.BucketSubject(jets.BucketStatus, ">"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n, _, _ := sub.Pending(); n == 0 {
			t.Error("nothing is written to STATUS")
		}
		_ = sub.Unsubscribe()
	})
	kv, err := js.KeyValue(t.Context(), jets.BucketIntegrations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), jets.Key(kinds.Default.Name, "acme"), strings.Repeat("[", 3)); err != nil {
		t.Fatal(err)
	}
}

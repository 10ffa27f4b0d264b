package overview

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func TestLookout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		conn := sinktest.Dial(t, s)
		l := New(jets.Attach(conn, sinktest.Kind))
		if l.Look().Complete {
			t.Error("complete before it has looked")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
		synctest.Wait()
		if v := l.Look(); !v.Complete || v.Away != nil || len(v.Statuses)+len(v.Entries) != 0 {
			t.Errorf("nobody has made a bucket, and there is %+v", v)
		}
		if _, err := conn.JS.Stream(ctx, jets.BucketStream(jets.BucketStatus)); err == nil {
			t.Error("looking made a bucket")
		}

		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		sinktest.Put(t, store, jets.BucketStatus, "okta.b", `{"state":"polling"}`)
		sinktest.Put(t, store, jets.BucketStatus, "okta.a", `[]`)
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.a", `{}`)
		sinktest.Put(t, store, jets.BucketLocks, "okta.b", `{"holder":"one","session":"1"}`)
		sinktest.Put(t, store, jets.BucketLocks, "session.one", `{"id":"1"}`)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		v := l.Look()
		if len(v.Statuses) != 2 || v.Statuses[0].LastError == "" || v.Statuses[0].State == "" || v.Statuses[1].State != pipeline.StatePolling {
			t.Errorf("statuses are %+v", v.Statuses)
		}
		if len(v.Entries) != 1 || v.Entries["a"].Err == nil {
			t.Errorf("entries are %+v", v.Entries)
		}
		if held := v.Replicas.HeldBy("one"); len(held) != 1 || held[0] != "okta.b" || len(v.Replicas.HeldBy("two")) != 0 {
			t.Errorf("one holds %v", held)
		}

		kv, err := store.Conn.JS.KeyValue(ctx, jets.BucketStatus)
		if err != nil {
			t.Fatal(err)
		}
		if err := kv.Delete(ctx, "okta.a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if v := l.Look(); len(v.Statuses) != 1 {
			t.Errorf("deleted, and there are %+v", v.Statuses)
		}

		s.Stop()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if v := l.Look(); v.Away == nil || len(v.Statuses) != 1 {
			t.Errorf("NATS is away, and there is %+v", v)
		}
	})
}

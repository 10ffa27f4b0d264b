package overview

import (
	"testing"
	"testing/synctest"

	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// An instance that was removed while no process ran is forgotten; one that is held, was
// never stored, or is back, is not.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		ctx := t.Context()
		if err := Forget(ctx, store); err != nil {
			t.Fatal(err)
		}
		sinktest.Put(t, store, jets.BucketLocks, "session.one", `{"id":"now"}`)
		for instance, session := range map[string]string{
			"stored": "before", "deleted": "before", "purged": "before", "held": "now", "from-environment": "before", "back": "before",
		} {
			sinktest.Put(t, store, jets.BucketStatus, jets.Key(sinktest.Kind.Name, instance), `{"version":1,"state":"polling","holder":"one"}`)
			sinktest.Put(t, store, jets.BucketLocks, jets.Key(sinktest.Kind.Name, instance), `{"holder":"one","session":"`+session+`"}`)
			if instance != "from-environment" {
				sinktest.Put(t, store, jets.BucketIntegrations, jets.Key(sinktest.Kind.Name, instance), `{}`)
			}
		}
		kv, err := store.Conn.JS.KeyValue(ctx, jets.BucketIntegrations)
		if err != nil {
			t.Fatal(err)
		}
		for _, instance := range []string{"deleted", "held", "back"} {
			if err := kv.Delete(ctx, jets.Key(sinktest.Kind.Name, instance)); err != nil {
				t.Fatal(err)
			}
		}
		if err := kv.Purge(ctx, jets.Key(sinktest.Kind.Name, "purged")); err != nil {
			t.Fatal(err)
		}
		sinktest.Put(t, store, jets.BucketIntegrations, jets.Key(sinktest.Kind.Name, "back"), `{}`)

		for range 2 { // what is forgotten is so once
			if err := Forget(ctx, store); err != nil {
				t.Fatal(err)
			}
		}
		statuses, err := buckets.AllStatuses(ctx, store)
		if err != nil {
			t.Fatal(err)
		}
		replicas, err := locks.ReadReplicas(ctx, store)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"back", "from-environment", "held", "stored"}
		if len(statuses) != len(want) || len(replicas.Locks) != len(want) {
			t.Fatalf("left are %+v and %+v", statuses, replicas.Locks)
		}
		for i, instance := range want {
			if _, locked := replicas.Locks[jets.Key(sinktest.Kind.Name, instance)]; statuses[i].Instance != instance || !locked {
				t.Errorf("%s was forgotten", instance)
			}
		}
	})
}

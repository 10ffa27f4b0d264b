package jets

import (
	"testing"
	"testing/synctest"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// An instance that was removed while nobody ran is forgotten; one that somebody
// holds, that was never stored, or that is back, is not.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openedOn(t, jetstest.Run(t), Config{Kind: kind})
		ctx := t.Context()
		if err := Forget(ctx, store.Conn); err != nil {
			t.Fatal(err)
		}
		putKey(t, store, BucketLocks, "session.one", `{"id":"now"}`)
		for instance, session := range map[string]string{
			"stored": "before", "deleted": "before", "purged": "before", "held": "now", "from-environment": "before", "back": "before",
		} {
			putKey(t, store, BucketStatus, Key(instance), `{"version":1,"state":"polling","holder":"one"}`)
			putKey(t, store, BucketLocks, Key(instance), `{"holder":"one","session":"`+session+`"}`)
			if instance != "from-environment" {
				putKey(t, store, BucketIntegrations, Key(instance), `{}`)
			}
		}
		kv, err := store.Conn.JS.KeyValue(ctx, BucketIntegrations)
		if err != nil {
			t.Fatal(err)
		}
		for _, instance := range []string{"deleted", "held", "back"} {
			if err := kv.Delete(ctx, Key(instance)); err != nil {
				t.Fatal(err)
			}
		}
		if err := kv.Purge(ctx, Key("purged")); err != nil {
			t.Fatal(err)
		}
		putKey(t, store, BucketIntegrations, Key("back"), `{}`)

		for range 2 { // what is forgotten is so once
			if err := Forget(ctx, store.Conn); err != nil {
				t.Fatal(err)
			}
		}
		statuses, err := AllStatuses(ctx, store.Conn)
		if err != nil {
			t.Fatal(err)
		}
		replicas, err := ReadReplicas(ctx, store.Conn)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"back", "from-environment", "held", "stored"}
		if len(statuses) != len(want) || len(replicas.Locks) != len(want) {
			t.Fatalf("left are %+v and %+v", statuses, replicas.Locks)
		}
		for i, instance := range want {
			if _, locked := replicas.Locks[instance]; statuses[i].Instance != instance || !locked {
				t.Errorf("%s was forgotten", instance)
			}
		}
	})
}

package locks

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// A purge of LOCKS is invisible to the watch, and takes no lock from its holder: locks
// are written again with the session's next renewal, so that later processes wait for
// them, too. A lock that another process has written meanwhile is given up.
func TestLocksOutlastAPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		a := run(t, s, r, "a", Config{}, "acme", "other")
		r.awaitHolder("acme", "a")
		r.awaitHolder("other", "a")
		conn := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}).Conn
		kv, err := conn.JS.KeyValue(t.Context(), jets.BucketLocks)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := conn.JS.Stream(t.Context(), jets.BucketStream(jets.BucketLocks))
		if err != nil {
			t.Fatal(err)
		}
		purge := func() {
			if err := stream.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			purge()
			time.Sleep(5 * time.Second)
			e, err := kv.Get(t.Context(), jets.Key(sinktest.Kind.Name, "acme"))
			if err != nil {
				t.Fatalf("the lock is not written anew: %v", err)
			}
			var lock Lock
			if err := json.Unmarshal(e.Value(), &lock); err != nil || lock.Holder != "a" || lock.Session != a.locks.session.id {
				t.Fatalf("the lock is %s, %v", e.Value(), err)
			}
		}
		b := run(t, s, r, "b", Config{}, "acme")
		time.Sleep(10 * time.Minute)
		if holder := r.holder("acme"); holder != "a" || len(r.ends()) != 0 {
			t.Errorf("%q holds; lost: %v", holder, r.ends())
		}

		purge()
		if _, err := kv.Create(t.Context(), jets.Key(sinktest.Kind.Name, "other"), []byte(`{"holder":"x","session":"y"}`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if holder := r.holder("acme"); holder != "a" || r.times()["acme"] != 1 || r.times()["other"] != 2 { // a session y there is not
			t.Errorf("%q holds; taken: %v", holder, r.times())
		}
		a.stop()
		if took := r.awaitHolder("acme", "b"); took > time.Second {
			t.Errorf("given back after %v", took)
		}
		b.stop()
	})
}

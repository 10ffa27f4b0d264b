package jets

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// A server that comes back is behind the leader for a while. A watch that reads from its
// replica gets everything that the leader held, or learns that it has not.
func TestWatchOverACopyThatTrails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	const keys = 2000
	cluster := jetstest.Config{}.Cluster(t)
	conn, err := Connect(t.Context(), cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	store, err := Open(t.Context(), conn, Config{Kinds: oktaKinds, Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	follower := cluster[0]
	if follower == cluster.Leader(t, BucketStream(BucketStatus)) {
		follower = cluster[1]
	}
	follower.Kill()
	value := bytes.Repeat([]byte("x"), 20<<10)
	for i := range keys {
		m := []byte(fmt.Sprintf("%d %s", i, value))
		if _, err := putWithin(t, store, fmt.Sprintf("okta.org-%04d", i), m); err != nil {
			t.Fatal(err)
		}
	}
	follower.Start(t)
	for patience := time.Now().Add(20 * time.Second); time.Now().Before(patience); {
		found := 0
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
		err := conn.Each(ctx, BucketStatus, "okta.*", false, func(KVEntry) { found++ })
		stop()
		if err == nil && found != keys {
			t.Fatalf("told %d of %d keys, and that these are all", found, keys)
		}
		if err != nil {
			t.Logf("told %d of %d keys: %v", found, keys, err)
		}
	}
}

// putWithin writes a key of STATUS, for as long as the cluster looks for a leader.
func putWithin(t *testing.T, store *Store, key string, value []byte) (seq uint64, err error) {
	for range 20 {
		ack, err := store.Conn.JS.Publish(t.Context(), BucketSubject(BucketStatus, key), value)
		if err == nil {
			return ack.Sequence, nil
		}
		t.Log(err)
	}
	return 0, err
}

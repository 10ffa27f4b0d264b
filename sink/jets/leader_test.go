package jets

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// The leader of LOCKS dies: for a while nobody can renew, and nothing expires.
// Nobody drops what it holds.
func TestLeaderOfLocksKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes an election")
	}
	c := jetstest.Config{}.Cluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	open := func() *Store {
		conn, err := Connect(ctx, c.URL(), c[0].Option())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		for { // as the service does: a cluster is slow at first
			store, err := Open(ctx, conn, Config{Kind: kind, Replicas: 3})
			if err == nil {
				return store
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
	}
	took, lost := make(chan string, 100), make(chan error, 100)
	for _, name := range []string{"a", "b", "c"} {
		locks, err := NewLocks(open(), LocksConfig{Replica: name, TTL: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = locks.Run(ctx) })
		for i := range 4 {
			wg.Go(func() {
				_ = locks.Hold(ctx, pipeline.Claim{Instance: fmt.Sprintf("%s-%d", name, i)}, func(held context.Context) {
					took <- name
					<-held.Done()
					lost <- context.Cause(held)
				})
			})
		}
	}
	for range 12 {
		<-took
	}
	beats := make(chan kvEntry, 1000)
	bystander := open()
	wg.Go(func() {
		quiet := func() {}
		_ = bystander.follow(ctx, BucketLocks, sessionPrefix+">", view{fresh: quiet, settled: quiet, ended: quiet,
			entry: func(e kvEntry) { beats <- e }})
	})
	newest := map[string]uint64{}
	for len(newest) < 3 {
		e := <-beats
		newest[e.key] = e.revision
	}
	c.Leader(t, BucketStream(BucketLocks)).Kill()
	for len(newest) > 0 { // each has renewed twice: once may have been before the end
		e := <-beats
		if e.gone {
			t.Errorf("%s has expired", e.key)
		}
		if before, waits := newest[e.key]; waits && before == 0 {
			delete(newest, e.key)
		} else if waits && e.revision > before {
			newest[e.key] = 0
		}
	}
	select {
	case err := <-lost:
		t.Errorf("a lock was dropped: %v", err)
	default:
	}
}

package locks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// The leader of LOCKS dies: for a while nobody can renew, and nothing expires. Nobody
// gives up its locks.
func TestLeaderOfLocksKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes an election")
	}
	c := jetstest.Config{}.Cluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	open := func() *jets.Store {
		conn, err := jets.Connect(ctx, c.URL(), c[0].Option())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		for { // as the service does: a cluster is slow at first
			store, err := jets.Open(ctx, conn, jets.Config{Kinds: sinktest.Kinds, Replicas: 3})
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
		locks, err := New(open(), Config{Replica: name, TTL: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = locks.Run(ctx) })
		for i := range 4 {
			wg.Go(func() {
				_ = locks.Hold(ctx, pipeline.Claim{Kind: sinktest.Kind, Instance: fmt.Sprintf("%s-%d", name, i)}, func(held context.Context) {
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
	beats := make(chan jets.KVEntry, 1000)
	bystander := open()
	wg.Go(func() {
		quiet := func() {}
		_ = bystander.Follow(ctx, jets.BucketLocks, sessionPrefix+">", jets.View{Fresh: quiet, Settled: quiet, Ended: quiet,
			Entry: func(e jets.KVEntry) { beats <- e }})
	})
	newest := map[string]uint64{}
	for len(newest) < 3 {
		e := <-beats
		newest[e.Key] = e.Revision
	}
	c.Leader(t, jets.BucketStream(jets.BucketLocks)).Kill()
	for len(newest) > 0 { // each has renewed twice: once may have been before the end
		e := <-beats
		if e.Gone {
			t.Errorf("%s has expired", e.Key)
		}
		if before, waits := newest[e.Key]; waits && before == 0 {
			delete(newest, e.Key)
		} else if waits && e.Revision > before {
			newest[e.Key] = 0
		}
	}
	select {
	case err := <-lost:
		t.Errorf("a lock was dropped: %v", err)
	default:
	}
}

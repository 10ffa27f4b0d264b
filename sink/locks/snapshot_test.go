package locks

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	pollers "github.com/witfoo/signal-client/pipeline/fleet"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// A process that was cut off for long takes its locks again when it has received and
// applied the current INTEGRATIONS; if it can't know that, after a while.
func TestLocksWaitForIntegrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		seen := new(jets.SnapshotSeen)
		slow := make(chan struct{}, 1) // full: what INTEGRATIONS says is not acted upon
		var watch sync.WaitGroup
		watch.Go(func() {
			_ = (&buckets.Integrations{Store: store, Seen: seen}).Watch(t.Context(), func(map[string]pipeline.Entry) {
				slow <- struct{}{}
				<-slow
			})
		})
		t.Cleanup(watch.Wait)
		claim(t, store, r, "a", Config{Seen: seen}, pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"})
		r.awaitHolder("acme", "a")
		outage := func() {
			s.Stop()
			time.Sleep(30 * time.Second)
			slow <- struct{}{}
			s.Start(t)
			time.Sleep(5 * time.Second)
			if h := r.holder("acme"); h != "" {
				t.Errorf("%s holds, and has not heard whether it is to", h)
			}
		}
		outage()
		<-slow
		if took := r.awaitHolder("acme", "a"); took > time.Second {
			t.Errorf("it took %s after the news", took)
		}
		outage()
		r.awaitHolder("acme", "a")
		<-slow
	})
}

// slowly is Integrations that are told, or acted upon, late.
type slowly struct {
	pipeline.Integrations
	by time.Duration
}

func (s slowly) Watch(ctx context.Context, changed func(map[string]pipeline.Entry)) error {
	return s.Integrations.Watch(ctx, func(entries map[string]pipeline.Entry) {
		_ = pipeline.Sleep(ctx, s.by)
		changed(entries)
	})
}

// A process that keeps its lock through a cut-off asks no org that was disabled
// meanwhile; if it can't know that for long, it goes on after a while.
func TestPollsWaitForIntegrations(t *testing.T) {
	for late, polled := range map[time.Duration]bool{jets.SnapshotTime / 2: false, 2 * jets.SnapshotTime: true} {
		t.Run(late.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { pollThroughACut(t, late, polled) })
		})
	}
}

func pollThroughACut(t *testing.T, late time.Duration, polled bool) {
	s := jetstest.Config{Open: true}.Run(t) // the operator's store writes INTEGRATIONS
	operator := &buckets.Integrations{Store: sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})}
	put := func(revision uint64, enabled bool) uint64 {
		value := fmt.Sprintf(`{"enabled":%v,"settings":{"base_url":"http://127.0.0.1:1"},"credentials":{"api_token":"t"}}`, enabled)
		revision, err := operator.Put(t.Context(), "acme", []byte(value), revision)
		if err != nil {
			t.Fatal(err)
		}
		return revision
	}
	revision := put(0, true)

	way := jetstest.NewProxy(s)
	conn, err := jets.Connect(t.Context(), "", nats.InProcessServer(way))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: sinktest.Kinds})
	if err != nil {
		t.Fatal(err)
	}
	seen := new(jets.SnapshotSeen)
	locks, err := New(store, Config{Seen: seen, Replica: "a", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var before, after, ended atomic.Int64 // polls before the connection came back, and after
	fleet := &pollers.Fleet{
		Integrations: slowly{&buckets.Integrations{Store: store, Seen: seen}, late}, Locks: locks,
		Poll: func(ctx context.Context, _ pipeline.Integration, _ func(error)) error {
			defer ended.Add(1)
			for {
				polls := &before
				if conn.Generation() > 0 {
					polls = &after
				}
				if seen.Wait(ctx, conn) != nil || pipeline.Sleep(ctx, 10*time.Millisecond) != nil { // a request takes its time
					return nil
				}
				polls.Add(1)
			}
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = locks.Run(ctx) })
	wg.Go(func() { _ = fleet.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	time.Sleep(late + 5*time.Second)

	way.Part()
	put(revision, false)
	time.Sleep(5 * time.Second)
	if before.Load() == 0 || after.Load() != 0 || ended.Load() != 0 {
		t.Fatalf("%d polls, %d of them after a cut-off; %d ended", before.Load(), after.Load(), ended.Load())
	}
	way.Heal()
	time.Sleep(jets.SnapshotTime / 2)
	if after.Load() != 0 {
		t.Errorf("%d polls, and it was not heard whether the org is to be polled", after.Load())
	}
	time.Sleep(2 * jets.SnapshotTime)
	if got := after.Load() > 0; got != polled || ended.Load() != 1 {
		t.Errorf("polled before it was told: %v, want %v; %d ended", got, polled, ended.Load())
	}
}

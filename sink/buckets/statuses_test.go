package buckets

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// writing runs a writer of statuses until stop or the test's end.
func writing(t *testing.T, store *jets.Store) (w *Statuses, stop func()) {
	t.Helper()
	w = NewStatuses(store, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return w, stop
}

// wantStatus compares what STATUS holds: instance, state and events of each.
func wantStatus(t *testing.T, store *jets.Store, want ...string) {
	t.Helper()
	synctest.Wait()
	all, err := AllStatuses(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range all {
		got = append(got, fmt.Sprint(s.Instance, " ", s.State, " ", s.Events))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("statuses are %q, want %q", got, want)
	}
}

func status(instance string, state pipeline.State, events uint64) pipeline.Status {
	return pipeline.Status{Kind: sinktest.Kind, Version: 1, Instance: instance, State: state, Events: events}
}

func TestStatuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		w, stop := writing(t, store)
		w.Put(status("b", pipeline.StateNew, 0))
		w.Put(status("a", pipeline.StatePolling, 1))
		wantStatus(t, store, "a polling 1", "b new 0")

		w.Put(status("a", pipeline.StatePolling, 2)) // nothing new: it waits
		wantStatus(t, store, "a polling 1", "b new 0")
		w.Put(status("a", pipeline.StatePolling, 3))
		time.Sleep(statusEvery)
		wantStatus(t, store, "a polling 3", "b new 0")

		w.Put(status("a", pipeline.StatePolling, 4))
		w.Put(status("a", pipeline.StateRefused, 5)) // news: at once
		wantStatus(t, store, "a credential refused 5", "b new 0")

		w.Delete(sinktest.Kind, "b")
		wantStatus(t, store, "a credential refused 5")
		w.Put(status("b", pipeline.StateNew, 0))
		wantStatus(t, store, "a credential refused 5", "b new 0")

		w.Put(status("a", pipeline.StateRefused, 6))
		stop() // what waits is written at the end
		wantStatus(t, store, "a credential refused 6", "b new 0")
	})
}

// The new holder's status wins, whenever a late one of the former holder arrives.
func TestStatusesOfOneWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := jetstest.Run(t)
		store := sinktest.Open(t, server, jets.Config{Kinds: sinktest.Kinds})
		first, stop := writing(t, store)
		next, _ := writing(t, sinktest.Open(t, server, jets.Config{Kinds: sinktest.Kinds}))
		unowned := func(instances ...string) {
			for _, instance := range instances {
				first.Put(status(instance, pipeline.StateUnowned, 9))
			}
			synctest.Wait()
		}
		for _, instance := range []string{"a", "b", "c"} {
			first.Put(status(instance, pipeline.StatePolling, 1))
		}
		wantStatus(t, store, "a polling 1", "b polling 1", "c polling 1")
		next.Put(status("b", pipeline.StateNew, 2)) // it has taken over
		first.Put(status("c", pipeline.StatePolling, 5))
		first.Leave(sinktest.Kind, "c") // handed over; what waits is old
		next.Put(status("c", pipeline.StateNew, 2))
		synctest.Wait()
		unowned("a", "b", "d")
		time.Sleep(time.Minute)
		wantStatus(t, store, "a unowned 9", "b new 2", "c new 2")

		next.Put(status("a", pipeline.StateNew, 3))
		synctest.Wait()
		unowned("a")
		stop()
		wantStatus(t, store, "a new 3", "b new 2", "c new 2")
	})
}

// A holder that hands an instance over leaves its counts, unless the next holder has
// written already, and the next holder goes on from there.
func TestStatusesAreCarriedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		if s, err := ReadStatus(t.Context(), store, "a"); err != nil || s.Events != 0 {
			t.Errorf("before anything was written: %+v, %v", s, err)
		}
		first, _ := writing(t, store)
		first.Put(status("a", pipeline.StatePolling, 1))
		synctest.Wait()
		first.Put(status("a", pipeline.StatePolling, 7)) // no news: it would wait
		first.Leave(sinktest.Kind, "a")
		synctest.Wait()
		if s, err := ReadStatus(t.Context(), store, "a"); err != nil || s.Events != 7 {
			t.Errorf("after the holder has left: %+v, %v", s, err)
		}
	})
}

// A change is written even by a holder that is leaving.
func TestStatusesLastNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		w, _ := writing(t, store)
		w.Put(status("a", pipeline.StatePolling, 1))
		synctest.Wait()
		w.Put(status("a", pipeline.StateConfig, 2))
		w.Leave(sinktest.Kind, "a")
		wantStatus(t, store, "a configuration error 2")
	})
}

// A thousand updates a second cost at most one message in 15 s.
func TestStatusesAreSparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		w, _ := writing(t, store)
		for i := range 600 {
			w.Put(status("a", pipeline.StatePolling, uint64(i)))
			time.Sleep(100 * time.Millisecond)
		}
		i, err := store.Conn.Info(t.Context(), "KV_STATUS")
		if err != nil || i.State.LastSeq < 4 || i.State.LastSeq > 5 {
			t.Errorf("%d messages in a minute, want 4 or 5 (%v)", i.State.LastSeq, err)
		}
	})
}

func TestStatusesSurviveOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		store := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds})
		w, _ := writing(t, store)
		w.Put(status("a", pipeline.StatePolling, 1))
		wantStatus(t, store, "a polling 1")
		s.Stop()
		for i := range 100 {
			w.Put(status("a", pipeline.StateRetrying, uint64(i)))
			w.Put(status("b", pipeline.StateRetrying, uint64(i)))
			time.Sleep(time.Second)
		}
		s.Start(t)
		time.Sleep(10 * time.Second)
		wantStatus(t, store, "a retrying 99", "b retrying 99")
	})
}

func TestStatusesOutliveTheirBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		w, _ := writing(t, store)
		w.Put(status("a", pipeline.StatePolling, 1))
		synctest.Wait()
		if err := store.Conn.JS.DeleteKeyValue(t.Context(), jets.BucketStatus); err != nil {
			t.Fatal(err)
		}
		w.Put(status("a", pipeline.StateRetrying, 2))
		time.Sleep(2 * statusRetry)
		wantStatus(t, store, "a retrying 2")
	})
}

func TestStatusUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		sinktest.Put(t, store, jets.BucketStatus, "okta.a", "no json")
		all, err := AllStatuses(t.Context(), store)
		if err != nil || len(all) != 1 || all[0].Instance != "a" || all[0].LastError == "" {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

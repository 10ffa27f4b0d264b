package view

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// running returns a View of a store that is kept up to date until the test ends.
func running(t *testing.T, store *jets.Store) *View {
	t.Helper()
	v := New(Config{Store: store})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return v
}

// written puts what a service would have written of an integration.
func written(t *testing.T, store *jets.Store, instance, state string) {
	t.Helper()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	sinktest.Put(t, store, jets.BucketIntegrations, "okta."+instance, `{"name":"The `+instance+`","settings":{"fqdn":"`+instance+`.okta.com"},"credentials":{"api_token":"s3cret"}}`)
	sinktest.Put(t, store, jets.BucketStatus, "okta."+instance, `{"version":1,"state":"`+state+`","state_since":"`+now+`","holder":"one","last_error":"why","events":7,"updated_at":"`+now+`"}`)
	sinktest.Put(t, store, jets.BucketLocks, "okta."+instance, `{"holder":"one","session":"1"}`)
}

func stand(t *testing.T) *jets.Store {
	t.Helper()
	store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
	sinktest.Put(t, store, jets.BucketLocks, "session.one", `{"id":"1"}`)
	return store
}

// The picture has the worst first, with name, org, colour and remedy, and the events of
// the last hour.
func TestFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stand(t)
		written(t, store, "good", "polling")
		written(t, store, "behind", "catching up")
		written(t, store, "bad", "credential refused")
		sinktest.Put(t, store, jets.BucketIntegrations, "okta.new", `{"settings":{"fqdn":"new.okta.com"},"credentials":{"api_token":"s3cret"}}`)
		position := func(instance string, events int) {
			t.Helper()
			_, err := store.Conn.JS.Publish(t.Context(), jets.SubjectPosition("okta", instance), fmt.Appendf(nil, `{"version":1,"events":%d}`, events))
			if err != nil {
				t.Fatal(err)
			}
		}
		position("good", 100)
		time.Sleep(62 * time.Minute)
		position("good", 30)
		time.Sleep(10 * time.Minute)
		position("good", 20)
		position("behind", 4)
		for _, subject := range []string{"good", "good", "bad"} {
			if _, err := store.Conn.JS.Publish(t.Context(), jets.SubjectDeadLetter("okta", subject), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		v := running(t, store)
		time.Sleep(3 * time.Second)
		written(t, store, "good", "polling") // it lives
		written(t, store, "behind", "catching up")
		position("behind", 6)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		f := v.Fleet()
		var order []string
		for _, i := range f.Integrations {
			order = append(order, i.Instance)
		}
		if want := []string{"bad", "behind", "new", "good"}; !f.Complete || f.Away != "" || !slices.Equal(order, want) {
			t.Fatalf("complete %v, away %q, order %v", f.Complete, f.Away, order)
		}
		good, _ := f.Of("good")
		if good.Name != "The good" || good.Org != "good.okta.com" || good.Class != Green || good.LastHour != 50 || good.Hour[11] != 20 || good.Hour[9] != 30 ||
			good.StateSince.IsZero() || good.Remedy != "" || good.DeadLetters != 2 || good.Interval != 300 {
			t.Errorf("good is %+v", good)
		}
		if bad := f.Attention(); len(bad) != 1 || bad[0].Class != Red || bad[0].Remedy == "" || bad[0].LastError != "why" {
			t.Errorf("attention needs %+v", bad)
		}
		if i, _ := f.Of("behind"); i.LastHour != 10 {
			t.Errorf("behind has %d events", i.LastHour)
		}
		if rate := f.PerSecond[59]; f.PerSecond[49] != 0.5 || rate < 0.4 || rate > 3 {
			t.Errorf("events per second: %v", f.PerSecond)
		}
		if f.DeadLetters != 3 || len(f.States) != 4 || f.States[0].Count != 1 || len(f.Replicas) != 1 || f.Replicas[0].Orgs != 3 {
			t.Errorf("dead letters %d, states %+v, replicas %+v", f.DeadLetters, f.States, f.Replicas)
		}
	})
}

// A poll that is overdue for long is not green, even if its holder lives.
func TestGreenEndsWithThePolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stand(t)
		written(t, store, "acme", "polling")
		v := running(t, store)
		time.Sleep(2 * time.Second)
		if i, _ := v.Fleet().Of("acme"); i.State != pipeline.StatePolling {
			t.Errorf("at first: %+v", i)
		}
		time.Sleep(7 * time.Minute)
		if i, _ := v.Fleet().Of("acme"); i.State != pipeline.StateRetrying || i.Class != Amber || i.LastError == "why" {
			t.Errorf("later: %+v", i)
		}
	})
}

// A follower gets everything first, then what changed; one that comes back continues where
// it was, and a slow one gets the newest only.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stand(t)
		written(t, store, "a", "polling")
		written(t, store, "b", "polling")
		v := running(t, store)
		time.Sleep(2 * time.Second)
		next, stop := iter.Pull(v.Changes(t.Context(), ""))
		defer stop()
		first, _ := next()
		if !first.Whole || len(first.Changed) != 2 || !first.Fleet.Complete {
			t.Fatalf("first: %+v", first)
		}
		for _, state := range []string{"retrying", "throttled", "catching up"} {
			written(t, store, "b", state)
			time.Sleep(2 * time.Second)
		}
		kv, err := store.Conn.JS.KeyValue(t.Context(), jets.BucketStatus)
		if err == nil {
			err = kv.Delete(t.Context(), "okta.a")
		}
		if err != nil {
			t.Fatal(err)
		}
		integrations, _ := store.Conn.JS.KeyValue(t.Context(), jets.BucketIntegrations)
		_ = integrations.Delete(t.Context(), "okta.a")
		time.Sleep(2 * time.Second)
		second, _ := next()
		if second.Whole || len(second.Changed) != 1 || second.Changed[0].State != pipeline.StateCatchingUp || !slices.Equal(second.Gone, []string{"a"}) {
			t.Errorf("second: %+v", second)
		}
		for after, whole := range map[string]bool{first.ID: false, "": true, "other-1": true, v.epoch + "-999": true} {
			for c := range v.Changes(t.Context(), after) {
				if c.Whole != whole || len(c.Changed) != 1 {
					t.Errorf("after %q: %+v", after, c)
				}
				break
			}
		}
		idle, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for c := range v.Changes(idle, second.ID) {
			t.Errorf("nothing happened, and there is %+v", c)
		}
	})
}

// Figures of a large busy fleet are told every few seconds, but a state at once; and what a
// position says is newer than STATUS.
func TestBusyFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := stand(t)
		names := make([]string, 120)
		for n := range names {
			names[n] = fmt.Sprintf("org%d", n)
			written(t, store, names[n], "polling")
		}
		v := running(t, store)
		time.Sleep(2 * time.Second)
		next, stop := iter.Pull(v.Changes(t.Context(), ""))
		defer stop()
		next()
		times := map[string]int{}
		for second := range 20 {
			for _, name := range names {
				through := time.Now().UTC().Format(time.RFC3339Nano)
				data := fmt.Appendf(nil, `{"version":1,"events":%d,"complete_through":%q,"last_event":{"uuid":"u%d"}}`, second+1, through, second)
				if _, err := store.Conn.JS.Publish(t.Context(), jets.SubjectPosition("okta", name), data); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			if second == 13 {
				written(t, store, "org77", "retrying")
				time.Sleep(1100 * time.Millisecond)
			}
			c, _ := next()
			for _, i := range c.Changed {
				times[i.Instance]++
				if i.Instance == "org77" && second == 13 && i.State != pipeline.StateRetrying {
					t.Errorf("a state is not told at once: %+v", i)
				}
			}
		}
		least, most := 100, 0
		for _, name := range names {
			least, most = min(least, times[name]), max(most, times[name])
		}
		if least < 3 || times["org99"] > 7 {
			t.Errorf("told %d to %d times in 20 s, the last one %d times", least, most, times["org99"])
		}
		if i, _ := v.Fleet().Of("org5"); i.CompleteThrough.IsZero() || i.LastEvent == nil || i.LagSeconds > 5 || i.LastHour != 210 || *i.PerMinute != 210 {
			t.Errorf("org5 is %+v", i)
		}
	})
}

// BenchmarkLook is one renewal of the picture of 500 integrations, made each second.
func BenchmarkLook(b *testing.B) {
	server := jetstest.Run(b)
	conn, err := jets.Connect(b.Context(), "", server.Option())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	store, err := jets.Open(b.Context(), conn, jets.Config{Kinds: sinktest.Kinds})
	if err != nil {
		b.Fatal(err)
	}
	for n := range 500 {
		for bucket, value := range map[string]string{
			jets.BucketIntegrations: fmt.Sprintf(`{"settings":{"fqdn":"org%d.okta.com"},"credentials":{"api_token":"t"}}`, n),
			jets.BucketStatus:       `{"version":1,"state":"polling","holder":"one","events":7,"rate_limit":{"limit":120,"remaining":60},"updated_at":"2026-11-28T09:00:00Z"}`,
			jets.BucketLocks:        `{"holder":"one","session":"1"}`,
		} {
			kv, err := store.Conn.JS.KeyValue(b.Context(), bucket)
			if err == nil {
				_, err = kv.Put(b.Context(), fmt.Sprintf("okta.org%d", n), []byte(value))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	v := New(Config{Store: store})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	for len(v.Fleet().Integrations) < 500 {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-done
	for b.Loop() {
		v.look(time.Now())
	}
}

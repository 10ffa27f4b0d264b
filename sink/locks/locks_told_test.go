package locks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// LocksConfig.Took is called for a lock whose holder's session has ended, with the lock
// and whether the holder ended it itself; not for a released lock, or one without a
// holder.
func TestTakeoverIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		r := newRecord(t)
		var mu sync.Mutex
		var told []string
		cfg := func(name string) Config {
			return Config{Took: func(instance string, from Lock, expired bool) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprintf("%s takes %s from %s, expired %v", name, instance, from.Holder, expired))
			}}
		}
		heard := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
			told = nil
		}
		one := run(t, s, r, "one", cfg("one"), "prod")
		r.awaitHolder("prod", "one")
		two := run(t, s, r, "two", cfg("two"), "prod")
		one.rest()
		r.awaitHolder("prod", "two")
		heard()

		three := run(t, s, r, "three", cfg("three"), "prod")
		two.locks.Leave()
		two.stop()
		r.awaitHolder("prod", "three")
		heard("three takes prod from two, expired false")

		four := run(t, s, r, "four", cfg("four"), "prod")
		three.kill()
		r.awaitHolder("prod", "four")
		heard("four takes prod from three, expired true")
		four.stop()
		one.stop()
	})
}

// A process that ends while a renewal is under way, which is stored though its ack
// is not awaited any more, ends its session all the same.
func TestEndDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		one := run(t, s, r, "one", Config{}, "prod")
		r.awaitHolder("prod", "one")
		conn := sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}).Conn
		key := jets.BucketSubject(jets.BucketLocks, sessionPrefix+"one")
		stored, err := conn.Last(t.Context(), jets.BucketStream(jets.BucketLocks), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.JS.Publish(t.Context(), key, stored.Data); err != nil {
			t.Fatal(err)
		}
		one.stop()
		if m, err := conn.Last(t.Context(), jets.BucketStream(jets.BucketLocks), key); err != nil || !jets.Gone(m.Header) {
			t.Errorf("the session stands: %+v, %v", m, err)
		}
	})
}

// Two orgs whose names begin alike come from the environments of two processes: the
// second one is told that the name is taken, and by whom; it takes the name when it is
// free. Two names of one org, or the same name twice, count as one org in a lock that
// does not say where its holder polls.
func TestNameTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jetstest.Run(t)
		r := newRecord(t)
		at := func(origin string) pipeline.Claim {
			return pipeline.Claim{Kind: sinktest.Kind, Instance: "acme", Origin: origin}
		}
		one := claim(t, sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), r, "one", Config{}, at("https://acme.okta.com"))
		r.awaitHolder("acme", "one")
		two := claim(t, sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), r, "two", Config{})
		time.Sleep(time.Second)
		held := func(context.Context) { t.Error("held beside another") }
		atOnce, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := two.locks.Hold(atOnce, at("https://acme.oktapreview.com"), held)
		taken, ok := errors.AsType[*NameTakenError](err)
		if !ok || !errors.Is(err, pipeline.ErrConfig) || taken.Holder != "one" || taken.There != "https://acme.okta.com" {
			t.Fatalf("a name that is taken: %v", err)
		}
		for _, origin := range []string{"", "https://acme.okta.com"} {
			waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := two.locks.Hold(waiting, at(origin), held); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("as %q: %v", origin, err)
			}
			cancel()
		}
		one.stop()
		time.Sleep(time.Second) // the watch has told by then
		got := false
		err = two.locks.Hold(t.Context(), at("https://acme.oktapreview.com"), func(context.Context) { got = true })
		if err != nil || !got {
			t.Errorf("a name that is free: held %v, %v", got, err)
		}
	})
}

package jets

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Of thousands of syncs, as at a start, so many go on at once.
func TestSyncsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newStand(t, jetstest.Config{})
		all, err := st.store.syncs.Take(t.Context(), openSyncs, false)
		st.ok(err)
		synced := false
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := st.sink().Sync(t.Context())
			synced = err == nil
		})
		synctest.Wait()
		if synced {
			t.Error("a sync does not wait for the others")
		}
		all.Release()
		wg.Wait()
		if !synced {
			t.Error("nor does it go on when they are done")
		}
	})
}

// So it is with locks that are taken. The session is renewed beside them.
func TestLocksTakenAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := jetstest.Run(t), newRecord(t)
		p := claim(t, opened(t, s, Config{}), r, "a", LocksConfig{})
		all, err := p.locks.open.Take(t.Context(), openLocks, false)
		if err != nil {
			t.Fatal(err)
		}
		held := false
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = p.locks.Hold(t.Context(), pipeline.Claim{Instance: "acme"}, func(context.Context) { held = true })
		})
		time.Sleep(time.Minute)
		state, err := ReadReplicas(t.Context(), p.store.Conn)
		if err != nil || len(state.Sessions) != 1 || held {
			t.Errorf("after a minute: %+v, %v, held %v", state, err, held)
		}
		all.Release()
		wg.Wait()
		if !held {
			t.Error("the lock was not taken when its turn had come")
		}
	})
}

// Integrations that come while the ones before are worked in are told all at once.
func TestIntegrationsOfACrowdAreToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newStand(t, jetstest.Config{})
		const crowd = 50
		ctx, cancel := context.WithCancel(t.Context())
		work := make(chan struct{})
		var told []int // integrations, each time
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = (&Integrations{Store: st.store}).Watch(ctx, func(entries map[string]pipeline.Entry) {
				told = append(told, len(entries))
				<-work
			})
		})
		synctest.Wait()
		for i := range crowd {
			_, err := (&Integrations{Store: st.store}).Put(ctx, fmt.Sprint("org-", i), []byte(`{}`), 0)
			st.ok(err)
		}
		synctest.Wait()
		close(work)
		synctest.Wait()
		if want := []int{0, crowd}; !slices.Equal(told, want) {
			t.Errorf("told of %v integrations, want %v", told, want)
		}
		cancel()
		wg.Wait()
	})
}

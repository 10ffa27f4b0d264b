package signals

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// Thousands of syncs, as at a start, run a limited number at a time.
func TestSyncsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{})
		all, err := st.Store.Syncs.Take(t.Context(), st.Store.Syncs.Capacity, false)
		st.OK(err)
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

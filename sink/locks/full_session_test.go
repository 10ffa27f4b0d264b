package locks

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// TestSessionInAFullStore: a process that starts again while nothing can be stored keeps
// trying to take its former session over, and reports it once, when it has.
func TestSessionInAFullStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // after the server's end: a loop of its file store's ends a little later
		const limit = 8 << 20
		st := sinktest.New(t, jetstest.Config{MaxStore: limit})
		one := run(t, st.Server, newRecord(t), "one", Config{}, "prod")
		time.Sleep(5 * time.Second)
		one.kill()
		makeRoom := st.Ballast(limit, 0)

		var told jetstest.Buffer
		log := slog.New(slog.NewTextHandler(&told, nil))
		locks, err := New(st.Store, Config{Replica: "one", Log: log})
		st.OK(err)
		ctx, end := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = locks.Run(ctx) })
		time.Sleep(time.Minute)
		if n := told.Count("earlier process"); n != 0 {
			t.Errorf("told %d times of what had not happened", n)
		}
		makeRoom()
		time.Sleep(time.Minute)
		if !locks.Live() || told.Count("earlier process") > 1 {
			t.Errorf("live: %v; told:\n%s", locks.Live(), told.String())
		}
		end()
		wg.Wait()
	})
}

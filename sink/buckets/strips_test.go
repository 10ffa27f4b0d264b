package buckets

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// recording runs a writer of strips until stop or the test's end.
func recording(t *testing.T, store *jets.Store) (w *Strips, stop func()) {
	t.Helper()
	w = NewStrips(store, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return w, stop
}

// wantTicks compares an instance's strip: the minutes since the test's beginning, and the
// state, of each tick.
func wantTicks(t *testing.T, store *jets.Store, start time.Time, want ...string) {
	t.Helper()
	synctest.Wait()
	strip, err := NewStrips(store, nil).Read(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, tick := range strip.Ticks {
		got = append(got, fmt.Sprintf("%v %s%s", tick.At.Sub(start).Minutes(), tick.State, tick.Said))
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("ticks are %q, want %q", got, want)
	}
	if strip.Version != 0 {
		if err := schemas.Validate("history", jets.Encode(strip)); err != nil {
			t.Error(err)
		}
	}
}

// A tick holds its worst state, a state that lasts has a tick in each quarter of an hour,
// and another process that takes over during a tick can only make it worse.
func TestStrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		start := time.Now().UTC().Truncate(TickLength)
		wantTicks(t, store, start)
		a, stop := recording(t, store)
		a.Put(status("acme", pipeline.StatePolling, 0))
		time.Sleep(stripEvery)
		wantTicks(t, store, start, "0 polling")

		refused := status("acme", pipeline.StateRefused, 0)
		refused.LastError = ": 401"
		a.Put(refused)
		a.Put(status("acme", pipeline.StatePolling, 0)) // mended within the same tick
		time.Sleep(stripEvery)
		wantTicks(t, store, start, "0 credential refused: 401")
		time.Sleep(2 * TickLength) // no word of the instance
		wantTicks(t, store, start, "0 credential refused: 401", "15 polling", "30 polling")

		a.Put(status("acme", pipeline.StateUnowned, 0)) // handed over
		stop()
		wantTicks(t, store, start, "0 credential refused: 401", "15 polling", "30 polling")
		b, stop := recording(t, store)
		b.Put(status("acme", pipeline.StateNew, 0))
		stop() // what waits is written at the end
		wantTicks(t, store, start, "0 credential refused: 401", "15 polling", "30 new")

		time.Sleep(StripLength - TickLength)
		c, _ := recording(t, store)
		c.Put(status("acme", pipeline.StateThrottled, 0))
		c.Put(status("acme", pipeline.StateCatchingUp, 0))
		time.Sleep(stripEvery)
		wantTicks(t, store, start, "30 new", "1455 throttled")
	})
}

// A tick that a wrong clock put far ahead does not drop those that come.
func TestStripOfAWrongClock(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	s := Strip{Ticks: []Tick{{At: now, State: pipeline.StatePolling}}}
	s.add(Tick{At: now.AddDate(80, 0, 0), State: pipeline.StatePolling})
	s.add(Tick{At: now.Add(TickLength), State: pipeline.StatePolling})
	if len(s.Ticks) != 1 || !s.Ticks[0].At.Equal(now.Add(TickLength)) {
		t.Errorf("got %v", s.Ticks)
	}
}

// Two processes that write one instance at once, as at a takeover, lose none of each
// other's ticks.
func TestStripsOfTwoWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := sinktest.Open(t, jetstest.Run(t), jets.Config{Kinds: sinktest.Kinds})
		start := time.Now().UTC().Truncate(TickLength)
		a, _ := recording(t, store)
		b, _ := recording(t, store)
		a.Put(status("acme", pipeline.StateRetrying, 0))
		b.Put(status("acme", pipeline.StateConfig, 0))
		time.Sleep(3 * stripEvery)
		wantTicks(t, store, start, "0 configuration error")
		for range 3 {
			time.Sleep(TickLength)
		}
		wantTicks(t, store, start, "0 configuration error", "15 configuration error", "30 configuration error", "45 configuration error")
	})
}

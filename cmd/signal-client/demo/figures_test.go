package demo

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// The demo's line says how much was stored, how fast, and up to when the org that is
// farthest behind is complete.
func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &figures{started: time.Now(), each: map[string]*figure{}}
		trace := f.Trace()
		rate := &speed{}
		rate.Of(0, f.started)
		time.Sleep(2 * time.Second)
		trace.Committed("acme", pipeline.Page{}, pipeline.Receipt{Stored: 1998}, time.Second)
		trace.Committed("globex", pipeline.Page{}, pipeline.Receipt{Stored: 2}, time.Second)
		if got, want := f.Line(rate.Of(2000, time.Now())), "2,000 events stored (acme 1,998, globex 2), 1,000/s, catching up"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if f.First() != 2*time.Second {
			t.Errorf("first after %v", f.First())
		}
		for instance, behind := range map[string]time.Duration{"acme": time.Second, "globex": 3 * time.Second} {
			trace.Moved(instance, pipeline.StatePolling, pipeline.Position{CompleteThrough: time.Now().Add(-behind)}, time.Time{})
			trace.Budget(instance, pipeline.RateLimit{Remaining: int(behind.Seconds()) * 100})
		}
		if got, want := f.Line(0), "2,000 events stored (acme 1,998, globex 2), 0/s, complete up to 3 s ago, 300 requests left"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

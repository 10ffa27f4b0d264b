package view

import (
	"fmt"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Gaps between recorded ticks are quarters of an hour in which nothing polled. Before the
// first record, and of the tick under way, nothing is known.
func TestStripGaps(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 7, 0, 0, time.UTC)
	at := func(minutes int) time.Time {
		return now.Truncate(buckets.TickLength).Add(time.Duration(minutes) * time.Minute)
	}
	for _, c := range []struct {
		minutes []int // of recorded ticks, before the one under way
		want    string
	}{
		{nil, "[]"},
		{[]int{0}, "[0 polling]"},
		{[]int{-15}, "[-15 polling]"},
		{[]int{-60, -15, 0}, "[-60 polling -45 unowned -30 unowned -15 polling 0 polling]"},
		{[]int{-15, 45, 24 * 60 * 365 * 5}, "[-15 polling]"},
		{[]int{-45}, "[-45 polling -30 unowned -15 unowned]"},
		{[]int{-24 * 60, -24*60 + 15, -24*60 + 30}, ""},
	} {
		var recorded buckets.Strip
		for _, m := range c.minutes {
			recorded.Ticks = append(recorded.Ticks, buckets.Tick{At: at(m), State: pipeline.StatePolling})
		}
		strip := stripOf(recorded, now)
		got := []string{}
		for _, tick := range strip.Ticks {
			got = append(got, fmt.Sprint(tick.At.Sub(at(0)).Minutes(), " ", tick.State))
		}
		if c.want != "" && fmt.Sprint(got) != c.want {
			t.Errorf("%v: got %v, want %s", c.minutes, got, c.want)
		}
		if len(got) > 96 || c.want == "" && len(got) != 95 {
			t.Errorf("%v: %d ticks", c.minutes, len(got))
		}
	}
}

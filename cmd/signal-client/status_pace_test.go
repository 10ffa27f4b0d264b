package main

import (
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

func TestPace(t *testing.T) {
	at := func(seconds int, holder string, events uint64, behind time.Duration, state pipeline.State) pipeline.Status {
		return pipeline.Status{
			UpdatedAt: now.Add(time.Duration(seconds) * time.Second), Holder: holder, Events: events, State: state,
			LastEvent: &pipeline.LastEvent{Published: now.Add(-behind).Format(time.RFC3339Nano)},
		}
	}
	var p pace
	for _, step := range []struct {
		status    pipeline.Status
		rate, eta float64 // -1: not known
	}{
		{at(0, "one", 1000, 10*time.Hour, pipeline.StateCatchingUp), -1, -1},
		{at(0, "one", 1000, 10*time.Hour, pipeline.StateCatchingUp), -1, -1},
		// an hour of the log within 15 s: 240 times as fast as it grows
		{at(15, "one", 2500, 9*time.Hour, pipeline.StateCatchingUp), 6000, 9 * 3600 / 239.0},
		{at(15, "one", 2500, 9*time.Hour, pipeline.StateCatchingUp), 6000, 9 * 3600 / 239.0},
		// slower than it grows: never
		{at(30, "one", 2560, 9*time.Hour, pipeline.StateCatchingUp), 240, -1},
		{at(45, "one", 2560, 0, pipeline.StatePolling), 0, -1},
		// another holder counts anew
		{at(60, "two", 10, 0, pipeline.StatePolling), -1, -1},
		{at(75, "two", 20, 0, pipeline.StatePolling), 40, -1},
		{at(90, "two", 5, 0, pipeline.StatePolling), -1, -1},
	} {
		p = p.next(step.status, now)
		if got := orUnknown(p.PerMinute); got != step.rate {
			t.Errorf("%v: %v events a minute, want %v", step.status.UpdatedAt, got, step.rate)
		}
		if got := orUnknown(p.CatchUpSec); got != step.eta {
			t.Errorf("%v: caught up in %v s, want %v", step.status.UpdatedAt, got, step.eta)
		}
	}
}

func orUnknown(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

func TestFitting(t *testing.T) {
	const end = "\x1b[K\n"
	if got, want := fitting("a\nb\nc\nd\n", 4), "a"+end+"b"+end+"… 2 more lines"+end; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fitting("a\nb\n", 4), "a"+end+"b"+end; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fitting("a\nb\n", 0), "a"+end+"b"+end; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

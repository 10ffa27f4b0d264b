package pipeline

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The answers of an org have no Date: only events move the watermark, correctly, and a
// warning is logged once.
func TestRunnerWithoutDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{}
		org.add(3)
		dated := false
		org.date = func(int) time.Time {
			if dated {
				return time.Now()
			}
			return time.Time{}
		}
		var told []bool
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Trace: &Trace{
			Untimed: func(_ string, untimed bool) { told = append(told, untimed) },
		}})
		later(10 * time.Minute)
		org.add(1)
		happened := time.Now()
		later(10 * time.Minute)
		if through := sink.at.CompleteThrough; !through.Before(happened) || happened.Sub(through) > time.Second {
			t.Errorf("complete through %v, the newest event was published %v", through, happened)
		}
		if want := []bool{true}; !slices.Equal(told, want) {
			t.Errorf("told %v", told)
		}
		dated = true
		later(3 * time.Minute)
		if want := []bool{true, false}; !slices.Equal(told, want) || time.Since(sink.at.CompleteThrough) > 3*time.Minute {
			t.Errorf("told %v, complete through %v", told, sink.at.CompleteThrough)
		}
	})
}

package pipeline

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// What consecutive pages show of the head of the log.
func TestHead(t *testing.T) {
	const interval = 5 * time.Minute
	type page struct {
		wait   time.Duration   // before its request
		ages   []time.Duration // of its events
		stays  bool            // its link does not move
		full   bool
		more   bool
		caught bool
		lag    time.Duration // of the watermark; 0: it proves none
	}
	old := []time.Duration{3 * time.Hour, 2 * time.Hour}
	fresh := []time.Duration{2 * time.Minute, time.Minute}
	for name, pages := range map[string][]page{
		"idle":                     {{stays: true, caught: true}, {stays: true, caught: true, lag: time.Second}, {wait: interval, stays: true, caught: true, lag: interval + time.Second}},
		"full":                     {{ages: old, full: true, more: true}, {ages: old, full: true, more: true}},
		"a full page without next": {{ages: old, full: true, stays: true}},
		"some news":                {{stays: true, caught: true}, {wait: interval, ages: fresh, caught: true, lag: interval + time.Second}, {wait: interval, stays: true, caught: true, lag: interval + time.Second}},
		"short, with more waiting": {{ages: old, more: true}, {ages: fresh, more: true, lag: time.Minute + time.Millisecond}, {ages: fresh[1:], lag: time.Minute + time.Millisecond}},
		"old news": {{stays: true, caught: true}, {wait: interval, ages: old, more: true, lag: 2*time.Hour + time.Millisecond},
			{stays: true, caught: true, lag: time.Second}},
		"empty pages that lead on": {{ages: old, more: true}, {more: true}, {more: true}, {caught: true, lag: 3 * time.Second},
			{wait: interval, caught: true, lag: interval + 3*time.Second}},
		"an empty page before more": {{ages: old, more: true}, {more: true}, {ages: old, more: true, lag: 2*time.Hour + time.Millisecond}, {more: true}, {more: true}, {ages: old, more: true, lag: 2*time.Hour + time.Millisecond}},
		"dated into the future":     {{stays: true, caught: true}, {ages: []time.Duration{-time.Hour, 3 * time.Minute}, lag: 3*time.Minute + time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHead(new(Clock), interval)
				for i, want := range pages {
					time.Sleep(want.wait)
					asked := h.Ask()
					time.Sleep(time.Second)
					p := Page{Link: placeLink(i), Next: placeLink(i + 1), Full: want.full, Date: time.Now()}
					if want.stays {
						p.Next = p.Link
					}
					for _, age := range want.ages {
						p.Events = append(p.Events, Event{Published: time.Now().Add(-age)})
					}
					h.Learn(asked, &p)
					lag := time.Duration(0)
					if !p.Through.IsZero() {
						lag = time.Since(p.Through)
					}
					if p.More != want.more || p.CaughtUp != want.caught || lag != want.lag {
						t.Errorf("page %d: more %v, caught up %v, lag %v; want %v, %v, %v", i, p.More, p.CaughtUp, lag, want.more, want.caught, want.lag)
					}
				}
			})
		})
	}
}

// Empty pages with a next link do not show the head until there are more of them in a row
// than any org sends while events are waiting.
func TestRunnerEmptyPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{at: Position{Link: placeLink(0), Seq: 1, Why: WhyRewind, DedupeFrom: 1}}
		org.add(7)
		org.hollow = map[int]int{5: 2}
		caught := ""
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Trace: &Trace{
			Polled: func(_ string, p Page, _ time.Duration) { caught += fmt.Sprint(len(p.Events), p.CaughtUp, " ") },
		}})
		synctest.Wait()
		sink.want(t, org)
		if want := "5 false 0 false 0 false 2 false 0 true "; caught != want {
			t.Errorf("pages: %s, want %s", caught, want)
		}
	})
}

package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// figures is the content of the demo's progress line. It is safe for concurrent use.
type figures struct {
	started time.Time

	mu    sync.Mutex
	first time.Duration // from the start to the first event stored; 0: none yet
	each  map[string]*figure
}

type figure struct {
	stored  uint64
	through time.Time // the watermark
	left    int       // requests left in this window
}

// Trace returns the hooks that feed the figures.
func (f *figures) Trace() *pipeline.Trace {
	return &pipeline.Trace{
		Committed: func(instance string, _ pipeline.Page, r pipeline.Receipt, _ time.Duration) {
			f.note(instance, func(one *figure) { one.stored += uint64(r.Stored) })
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.first == 0 && r.Stored > 0 {
				f.first = time.Since(f.started)
			}
		},
		Moved: func(instance string, _ pipeline.State, at pipeline.Position, _ time.Time) {
			f.note(instance, func(one *figure) { one.through = at.CompleteThrough })
		},
		Budget: func(instance string, limit pipeline.RateLimit) {
			f.note(instance, func(one *figure) { one.left = limit.Remaining })
		},
	}
}

func (f *figures) note(instance string, change func(*figure)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.each[instance] == nil {
		f.each[instance] = new(figure)
	}
	change(f.each[instance])
}

// First returns how long after the start the first event was stored; 0: none yet.
func (f *figures) First() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}

// Stored returns how many of an instance's events are stored.
func (f *figures) Stored(instance string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.each[instance] == nil {
		return 0
	}
	return f.each[instance].stored
}

// Totals returns how many events are stored, in total and in words by instance.
func (f *figures) Totals() (uint64, string) {
	var total uint64
	var parts []string
	for _, name := range demoNames() {
		n := f.Stored(name)
		total += n
		parts = append(parts, name+" "+term.Number(n))
	}
	return total, strings.Join(parts, ", ")
}

func (f *figures) showUntil(ctx context.Context, line *term.ProgressLine) {
	const every = 250 * time.Millisecond
	rate := &speed{}
	rate.Of(0, f.started)
	for pipeline.Sleep(ctx, every) == nil {
		total, _ := f.Totals()
		line.Show(f.Line(rate.Of(total, time.Now())))
	}
}

// Line returns the figures in words; rate is in events per second.
func (f *figures) Line(rate uint64) string {
	total, parts := f.Totals()
	return fmt.Sprintf("%s events stored (%s), %s/s%s", term.Number(total), parts, term.Number(rate), f.worst())
}

// worst returns the lag of the instance farthest behind, and its requests left.
func (f *figures) worst() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var through time.Time
	left, known := 0, len(f.each) > 0
	for _, one := range f.each {
		if one.through.IsZero() {
			known = false
			continue
		}
		if through.IsZero() || one.through.Before(through) {
			through, left = one.through, one.left
		}
	}
	if !known || time.Since(through) > time.Hour { // the watermark follows with the next page
		return ", catching up"
	}
	return fmt.Sprintf(", complete up to %s ago, %d requests left", term.Span(time.Since(through)), left)
}

// speed is the growth of a count over the last seconds.
type speed struct {
	counts []uint64
	times  []time.Time
}

// Of returns the growth per second.
func (s *speed) Of(count uint64, now time.Time) uint64 {
	const window = 20
	s.counts, s.times = append(s.counts, count), append(s.times, now)
	if over := len(s.counts) - window; over > 0 {
		s.counts, s.times = s.counts[over:], s.times[over:]
	}
	took := now.Sub(s.times[0]).Seconds()
	if took <= 0 {
		return 0
	}
	return uint64(float64(count-s.counts[0])/took + 0.5)
}

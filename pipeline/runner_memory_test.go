package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// roomySource takes memory for each page of a memoryOrg.
type roomySource struct {
	*memoryOrg
	pages *Gate
	most  int64 // that was in use
}

// Poll implements Source.
func (s *roomySource) Poll(ctx context.Context, link Link) (Page, error) {
	memory, err := s.pages.Take(ctx, 1, true)
	if err != nil {
		return Page{}, err
	}
	page, err := s.memoryOrg.Poll(ctx, link)
	if err != nil {
		memory.Release()
		return Page{}, err
	}
	s.most = max(s.most, s.pages.Used())
	page.Memory = memory
	return page, nil
}

// Whatever becomes of a page, its memory is given back: when it is committed, when
// its commit fails and the page ahead is dropped, when another was ahead, and
// when the Runner ends while one is in hand and one is ahead. Two are in memory at
// most, and none while the Runner rests.
func TestRunnerGivesMemoryBack(t *testing.T) {
	failures := map[string]func(sink *memorySink, org *memoryOrg) error{
		"stored": func(*memorySink, *memoryOrg) error { return nil },
		"lost":   func(*memorySink, *memoryOrg) error { return errors.New("ack lost") },
		"fenced": func(sink *memorySink, org *memoryOrg) error { sink.write(org, 3, 6); return nil },
	}
	for name, failure := range failures {
		for _, ends := range []time.Duration{500 * time.Millisecond, 2500 * time.Millisecond, 30 * time.Second} {
			t.Run(fmt.Sprint(name, " ", ends), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					org, sink := &memoryOrg{limit: 3}, &memorySink{takes: time.Second}
					org.add(20)
					sink.fail = func(n int) (bool, error) {
						if n == 1 {
							return true, failure(sink, org)
						}
						return true, nil
					}
					source := &roomySource{memoryOrg: org, pages: &Gate{Capacity: 2}}
					stop := run(t, &Runner{Source: source, Sink: sink, Interval: time.Hour})
					later(ends)
					if used := source.pages.Used(); used != 0 && ends > 20*time.Second {
						t.Errorf("%d pages are in memory while it rests", used)
					}
					stop()
					if used := source.pages.Used(); used != 0 || source.most != 2 {
						t.Errorf("%d pages are in memory at the end, %d were at most", used, source.most)
					}
				})
			})
		}
	}
}

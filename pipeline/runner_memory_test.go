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

// The memory of a page is released in every case: when it is committed, when its commit
// fails and the page ahead is dropped, when another writer was ahead, and when the Runner
// ends with one page in hand and one ahead. At most two pages are in memory, and none
// while the Runner waits.
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
					stop := run(t, &Runner{Kind: "okta", Source: source, Sink: sink, Interval: time.Hour})
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

// roomyBacklog takes memory for each batch of a memoryBacklog.
type roomyBacklog struct {
	*memoryBacklog
	room *Gate
}

// Next implements Backlog.
func (b *roomyBacklog) Next(ctx context.Context, due time.Time) (*Past, error) {
	past, err := b.memoryBacklog.Next(ctx, due)
	if past != nil {
		past.Memory, err = b.room.Take(ctx, 1, true)
	}
	return past, err
}

// A batch of the past holds its memory until it is stored, its insertion fails,
// or the Runner ends before.
func TestRunnerGivesMemoryOfThePastBack(t *testing.T) {
	for _, ends := range []time.Duration{20 * time.Second, 30 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			org, sink := &memoryOrg{limit: 3}, &memorySink{takes: 5 * time.Second}
			sink.fail = func(int) (bool, error) {
				if sink.calls[len(sink.calls)-1] == "insert" && sink.count("insert") == 2 {
					return false, errors.New("ack lost")
				}
				return true, nil
			}
			backlog := &roomyBacklog{&memoryBacklog{batches: [][]Event{{{UUID: "a"}}, {{UUID: "b"}}, {{UUID: "c"}}}}, &Gate{Capacity: 1}}
			stop := run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Backlog: backlog})
			later(12 * time.Second)
			if used := backlog.room.Used(); used != 1 {
				t.Errorf("%d batches are in memory, want the first", used)
			}
			later(ends)
			stop()
			if used := backlog.room.Used(); used != 0 || ends == time.Hour && backlog.stored != 3 {
				t.Errorf("%d batches are in memory after the end, %d are stored", used, backlog.stored)
			}
		})
	}
}

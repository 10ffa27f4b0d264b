package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Insert implements Inserter.
func (s *memorySink) Insert(_ context.Context, at Position, past Past) (Receipt, error) {
	inOrder()
	s.calls = append(s.calls, "insert")
	if at.DedupeFrom != 0 {
		return Receipt{}, ErrMakingUp
	}
	var missing []Event
	for _, e := range past.Events {
		if !slices.ContainsFunc(s.stored, func(f Event) bool { return f.UUID == e.UUID }) {
			missing = append(missing, e)
		}
	}
	next := at
	next.Why, next.Seq = past.Why, at.Seq+1
	if err := s.apply(at, next, missing); err != nil {
		return Receipt{}, err
	}
	return Receipt{Position: next, Stored: len(missing)}, nil
}

// memoryBacklog is a Backlog of batches in memory.
type memoryBacklog struct {
	batches [][]Event
	showing func() // runs while a batch is asked for; nil: nothing does
	errs    []error
	stored  int
}

func (b *memoryBacklog) Next(context.Context, time.Time) (*Past, error) {
	inOrder()
	if len(b.errs) > 0 {
		err := b.errs[0]
		b.errs = b.errs[1:]
		return nil, err
	}
	if len(b.batches) == 0 {
		return nil, nil
	}
	if b.showing != nil {
		b.showing()
	}
	return &Past{Why: WhyBackfill, Events: b.batches[0]}, nil
}

func (b *memoryBacklog) Stored(_ context.Context, r Receipt) error {
	inOrder()
	b.batches, b.stored = b.batches[1:], b.stored+r.Stored
	return nil
}

// A request for the past may show what the live poll is about to serve. So its batch is
// stored only after a later poll has reached the head; otherwise that event would be
// stored twice.
func TestRunnerInsertsAfterTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{}
		org.add(2)
		backlog := &memoryBacklog{batches: [][]Event{{{UUID: "old-1"}, {UUID: "old-2"}}, {{UUID: "old-3"}}}}
		backlog.showing = func() {
			org.add(4) // more than a page, seen by the request for the past already
			backlog.batches[0] = append(backlog.batches[0], org.log[len(org.log)-1])
		}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Hour, Backlog: backlog})
		later(time.Minute)
		if backlog.stored != 3 || len(sink.stored) != len(org.log)+3 {
			t.Errorf("%d of 3 of the past are stored, %d in all beside %d of the log: %q", backlog.stored, len(sink.stored), len(org.log), sink.calls)
		}
		seen := map[string]bool{}
		for _, e := range sink.stored {
			if seen[e.UUID] {
				t.Errorf("%s is stored twice", e.UUID)
			}
			seen[e.UUID] = true
		}
		if n := len(org.polls); n > 10 {
			t.Errorf("%d polls for two batches", n)
		}
	})
}

// An org serves fewer events than requested: no page is full although more are waiting.
func TestRunnerInsertsAfterShortPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 9, most: 2}, &memorySink{}
		org.add(2)
		backlog := &memoryBacklog{batches: [][]Event{{{UUID: "old-1"}}}}
		backlog.showing = func() {
			org.add(5) // three pages, seen by the request for the past already
			backlog.batches[0] = append(backlog.batches[0], org.log[len(org.log)-1])
		}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Hour, Backlog: backlog})
		later(time.Minute)
		if backlog.stored != 1 || len(sink.stored) != len(org.log)+1 {
			t.Errorf("%d of 1 of the past are stored, %d in all beside %d of the log: %q", backlog.stored, len(sink.stored), len(org.log), sink.calls)
		}
	})
}

// No request for the past is sent while known events are served again.
func TestRunnerKeepsThePastBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{at: Position{Link: placeLink(0), Seq: 5, DedupeFrom: 2}}
		org.add(2)
		backlog := &memoryBacklog{batches: [][]Event{{{UUID: "old"}}}}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Backlog: backlog})
		later(10 * time.Minute)
		if sink.count("insert") != 0 {
			t.Errorf("inserted while dedupe_from is set: %q", sink.calls)
		}
	})
}

// A batch whose insertion was refused or lost is dropped and requested again; a request
// that fails waits for the next interval.
func TestRunnerAfterAFailedInsert(t *testing.T) {
	for name, applied := range map[string]bool{"and lost": false, "but stored": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org, sink := &memoryOrg{limit: 3}, &memorySink{}
				sink.fail = func(n int) (bool, error) {
					if s := sink.calls; len(s) > 0 && s[len(s)-1] == "insert" && sink.count("insert") == 1 {
						return applied, errors.New("ack lost")
					}
					return true, nil
				}
				backlog := &memoryBacklog{batches: [][]Event{{{UUID: "old"}}}, errs: []error{errors.New("busy")}}
				run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Backlog: backlog})
				later(5 * time.Minute)
				if len(sink.stored) != 1 || sink.count("insert") != 2 || len(backlog.batches) != 0 {
					t.Errorf("stored %v, left %v: %q", sink.stored, backlog.batches, sink.calls)
				}
			})
		})
	}
}

// A wake ends the wait for the next poll and causes a sync.
func TestRunnerIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{}
		org.add(2)
		wake := make(chan struct{}, 1)
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Hour, Wake: wake})
		later(time.Second)
		polls := len(org.polls)
		sink.at.Link, sink.at.Seq = placeLink(0), sink.at.Seq+1 // as an operator rewinds
		sink.stored = nil
		wake <- struct{}{}
		later(time.Second)
		if sink.count("sync") != 2 || len(org.polls) == polls || org.polls[polls] != "0" {
			t.Errorf("not taken up: %q, polls %q", sink.calls, org.polls)
		}
		sink.want(t, org)
	})
}

// The polls of many instances are spread over the interval, each at its own moment, and
// never farther apart than the interval.
func TestTick(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 7, 0, time.UTC)
	for names, most := range map[string]struct{ of, inATenth int }{
		"%d": {1000, 140}, "acme-%03d": {30, 7}, "s%02d": {60, 12},
	} {
		tenths := make([]int, 10)
		for i := range most.of {
			name := fmt.Sprintf(names, i)
			first := Tick(name, 5*time.Minute, now)
			if wait := first.Sub(now); wait <= 0 || wait > 5*time.Minute {
				t.Fatalf("%s waits %v", name, wait)
			}
			if second := Tick(name, 5*time.Minute, first); second.Sub(first) != 5*time.Minute {
				t.Fatalf("%s: ticks %v apart", name, second.Sub(first))
			}
			tenths[first.Sub(now)*10/(5*time.Minute+1)]++
		}
		if slices.Max(tenths) > most.inATenth {
			t.Errorf("polls of %s by tenth of the interval: %v", names, tenths)
		}
	}
}

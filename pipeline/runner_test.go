package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The whole log reaches the sink, one commit after another, however far requests run
// ahead.
func TestRunnerDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{}
		org.add(10)
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		synctest.Wait()
		sink.want(t, org)
		wantCalls(t, sink.calls, "sync", "commit 0", "commit 3", "commit 6", "commit 9")
	})
}

// While a page is committed the next one is fetched, and no more than that one.
func TestRunnerFetchesOneAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 2}, &memorySink{takes: time.Second}
		org.add(9)
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink})
		synctest.Wait()
		wantCalls(t, org.polls, "0", "2") // the first is committed, the second is there
		later(time.Second)
		wantCalls(t, org.polls, "0", "2", "4")
	})
}

// A write fails, and was stored or not. In both cases the page fetched ahead is dropped,
// a sync follows, and the poll goes on from its position.
func TestRunnerAfterAFailedCommit(t *testing.T) {
	for name, applied := range map[string]bool{"and lost": false, "but stored": true} {
		for nth := range 5 {
			t.Run(fmt.Sprint(name, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					org, sink := &memoryOrg{limit: 3}, &memorySink{}
					org.add(10)
					sink.fail = func(n int) (bool, error) {
						if n == nth {
							return applied, errors.New("ack lost")
						}
						return true, nil
					}
					run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
					later(5 * time.Minute)
					sink.want(t, org)
					if n := sink.count("sync"); n != 2 {
						t.Errorf("%d syncs, want one more than the first: %q", n, sink.calls)
					}
				})
			})
		}
	}
}

// A poll that can't store anything does not look as if it were new or well, however many
// syncs there are, until a commit succeeds.
func TestRunnerLooksIllUntilItStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{takes: 10 * time.Second}
		org.add(10)
		broken := errors.New("not allowed to publish")
		var allowed bool
		sink.fail = func(n int) (bool, error) {
			if n > 0 && !allowed {
				return false, broken
			}
			return true, nil
		}
		var states []State
		trace := &Trace{Moved: func(_ string, state State, _ Position, _ time.Time) { states = append(states, state) }}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Trace: trace})
		later(25 * time.Second) // the first page is stored, the second refused
		states = nil
		later(10 * time.Minute)
		if len(states) < 10 || slices.ContainsFunc(states, func(s State) bool { return s != StateRetrying }) {
			t.Errorf("while nothing is stored: %q", states)
		}
		allowed = true
		later(5 * time.Minute)
		if state := states[len(states)-1]; state != StatePolling {
			t.Errorf("when all is stored: %q", state)
		}
	})
}

// Another writer was ahead: the page in hand and the one fetched ahead are outdated and
// are not committed.
func TestRunnerFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{}
		org.add(12)
		sink.fail = func(n int) (bool, error) {
			if n == 1 { // another stores this page and the next
				sink.write(org, 3, 9)
			}
			return true, nil
		}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		later(5 * time.Minute)
		sink.want(t, org)
		wantCalls(t, sink.calls[:5], "sync", "commit 0", "commit 3", "sync", "commit 9")
	})
}

// The watermark that a short page proves is the Date of the answer before its request,
// not its own: the org may have searched before it set the Date.
func TestRunnerWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{}
		org.add(7)
		// What is persisted between the look and the stamp is in no answer yet. Every other
		// answer is empty.
		org.between = func(ctx context.Context) {
			_ = Sleep(ctx, 2*time.Second)
			org.add(len(org.polls) % 2)
			_ = Sleep(ctx, 2*time.Second)
		}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		later(10*time.Minute + 30*time.Second)
		if sink.at.CompleteThrough.IsZero() {
			t.Fatal("no watermark")
		}
		for _, p := range sink.positions {
			for n, e := range org.log {
				if !e.Published.After(p.CompleteThrough) && n >= place(p.Link) {
					t.Fatalf("complete through %v, and event %d of %v is not there", p.CompleteThrough, n, e.Published)
				}
			}
		}
		// It is not idle either: a minute behind at most, and a request.
		if lag := time.Since(sink.at.CompleteThrough); lag > 2*time.Minute+10*time.Second {
			t.Errorf("the watermark is %v old", lag)
		}
	})
}

// A full page proves nothing: more is waiting.
func TestRunnerWatermarkOfFullPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{takes: time.Second}
		org.add(50)
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		later(8*time.Second + 500*time.Millisecond)
		if !sink.at.CompleteThrough.IsZero() || len(sink.stored) != 40 {
			t.Errorf("complete through %v after %d events of 50", sink.at.CompleteThrough, len(sink.stored))
		}
	})
}

// One request an interval is sent at the head of the log, two at the start: the first
// answer proves no watermark.
func TestRunnerIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{}
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		later(time.Hour + time.Second)
		if n := len(org.polls); n != 62 {
			t.Errorf("%d requests in an hour of 60 intervals", n)
		}
	})
}

// The comparison after a rewind ends with a page that has no known event. That page is
// requested at once, not an interval after the last known events, and only once.
func TestRunnerMakesUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5}, &memorySink{at: Position{Link: placeLink(0), Seq: 1, Why: WhyRewind, DedupeFrom: 1}}
		org.add(7)
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		synctest.Wait()
		wantCalls(t, org.polls, "0", "5", "7")
	})
}

// A full page whose link does not move is not requested again at once.
func TestRunnerDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 5, stuck: true}, &memorySink{}
		org.add(20)
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		later(10*time.Minute + time.Second)
		if n := len(org.polls); n > 12 {
			t.Errorf("%d requests in ten intervals", n)
		}
	})
}

// SIGTERM during a commit: the commit is finished, and nothing else is begun.
func TestRunnerFinishesTheCommitInHand(t *testing.T) {
	for _, c := range []struct {
		name   string
		takes  time.Duration
		stored int
	}{{"in time", 2 * time.Second, 3}, {"too slow", time.Minute, 0}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org, sink := &memoryOrg{limit: 3}, &memorySink{takes: c.takes}
				org.add(10)
				stop := run(t, &Runner{Kind: "okta", Source: org, Sink: sink})
				later(time.Second)
				began := time.Now()
				stop()
				if took := time.Since(began); took >= 5*time.Second {
					t.Errorf("took %v to end", took)
				}
				if len(sink.stored) != c.stored {
					t.Errorf("%d events stored, want %d", len(sink.stored), c.stored)
				}
				wantCalls(t, sink.calls, "sync", "commit 0")
			})
		})
	}
}

// SIGTERM during a slow request: the request is cancelled.
func TestRunnerGivesUpTheRequestInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{}
		org.between = func(ctx context.Context) { _ = Sleep(ctx, time.Hour) }
		stop := run(t, &Runner{Kind: "okta", Source: org, Sink: sink})
		later(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v to end", took)
		}
	})
}

// A cursor that is refused once is tried again; after two refusals in a row the query is
// reopened.
func TestRunnerCursorRefused(t *testing.T) {
	for refusals, reopens := range []int{0, 0, 1, 1, 2} {
		t.Run(fmt.Sprint(refusals), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org, sink := &memoryOrg{limit: 3}, &memorySink{}
				org.add(10)
				org.refuse(refusals, ErrCursor)
				run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
				later(10 * time.Minute)
				sink.want(t, org)
				if n := sink.count("reopen"); n != reopens {
					t.Errorf("reopened %d times after %d refusals, want %d", n, refusals, reopens)
				}
			})
		})
	}
	t.Run("not in a row", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			org, sink := &memoryOrg{limit: 3}, &memorySink{}
			org.add(10)
			org.errs = []error{ErrCursor, nil, ErrCursor, nil, ErrCursor}
			run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
			later(10 * time.Minute)
			sink.want(t, org)
			if n := sink.count("reopen"); n != 0 {
				t.Errorf("reopened %d times", n)
			}
		})
	})
}

// A link that the org made and refuses without naming its cursor may be refused for a
// moment only. One that it refuses for a minute is reopened; and an org that accepts the
// new query and refuses all its links is asked less and less often.
func TestRunnerLinkRefused(t *testing.T) {
	for name, c := range map[string]struct {
		refusals    int  // of the first link
		all         bool // that the new query leads to, for ever
		least, most int
	}{
		"for a moment":    {3, false, 0, 0},
		"for a while":     {30, false, 1, 5},
		"all it leads to": {0, true, 5, 12},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org, sink := &memoryOrg{limit: 3}, &memorySink{back: c.all}
				org.add(10)
				org.refuse(c.refusals, ErrLink)
				if c.all {
					org.leads = ErrLink
				}
				run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
				later(5 * time.Hour)
				if n := sink.count("reopen"); n < c.least || n > c.most {
					t.Errorf("reopened %d times in five hours, want %d to %d", n, c.least, c.most)
				}
				if !c.all {
					sink.want(t, org)
				}
			})
		})
	}
}

// A refused request that this program made itself is reported as such, and sent again no
// more often than a poll.
func TestRunnerOwnQueryRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{}
		org.refuse(1000, ErrCursor)
		var state State
		run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute,
			Trace: &Trace{Moved: func(_ string, s State, _ Position, _ time.Time) { state = s }}})
		later(5 * time.Hour)
		inOrder()
		if n := sink.count("reopen"); n > 10 {
			t.Errorf("reopened %d times", n)
		}
		if n := len(org.polls); n > 310 || state != StateConfig {
			t.Errorf("asked %d times in five hours, state %q", n, state)
		}
	})
}

// A failed poll costs a wait, and nothing that is stored.
func TestRunnerWaitsAfterFailures(t *testing.T) {
	for _, c := range []struct {
		name        string
		err         error
		state       State
		least, most time.Duration // until it is asked again
	}{
		{"transient", errors.New("500"), StateRetrying, 250 * time.Millisecond, 500 * time.Millisecond},
		{"throttled", ErrThrottled, StateThrottled, 0, 0}, // the Source waits
		{"refused", ErrCredential, StateRefused, 250 * time.Millisecond, 500 * time.Millisecond},
		{"configuration", ErrConfig, StateConfig, 2 * time.Minute, 2 * time.Minute},
		{"not before", &NotBefore{At: time.Date(2000, 1, 1, 0, 7, 0, 0, time.UTC), Err: errors.New("open")}, StateRetrying, 7 * time.Minute, 7 * time.Minute},
		{"refused and not before", &NotBefore{At: time.Date(2000, 1, 1, 0, 7, 0, 0, time.UTC), Err: ErrCredential}, StateRefused, 7 * time.Minute, 7 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org, sink := &memoryOrg{limit: 3}, &memorySink{}
				org.add(5)
				org.errs = []error{c.err}
				var states []State
				run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: 2 * time.Minute, Trace: &Trace{
					Moved: func(_ string, s State, _ Position, _ time.Time) { states = append(states, s) },
				}})
				later(10 * time.Minute)
				sink.want(t, org)
				if wait := org.times[1].Sub(org.times[0]); wait < c.least || wait > c.most {
					t.Errorf("asked again after %v", wait)
				}
				if !slices.Contains(states, c.state) || sink.count("sync") != 1 {
					t.Errorf("states %v, calls %q", states, sink.calls)
				}
			})
		})
	}
}

// While NATS is away, the runner keeps trying, and ends when its context does.
func TestRunnerWhileTheSinkIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org, sink := &memoryOrg{limit: 3}, &memorySink{away: errors.New("no connection")}
		org.add(5)
		stop := run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute})
		later(10 * time.Minute)
		if n := sink.count("sync"); n < 20 || n > 120 || len(org.polls) != 0 {
			t.Errorf("%d syncs and %d requests in ten minutes", n, len(org.polls))
		}
		sink.away = nil
		later(time.Minute)
		sink.want(t, org)
		stop()
	})
}

// A position that a newer program wrote ends the poll: it may mean something
// that this one would lose.
func TestRunnerEndsAtANewerPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ending := range []error{ErrNewer, ErrConfig} {
			err := (&Runner{Kind: "okta", Instance: "prod", Source: &memoryOrg{}, Sink: &memorySink{away: fmt.Errorf("sync: %w", ending)}}).Run(t.Context())
			if !errors.Is(err, ending) {
				t.Errorf("after %v Run returned %v", ending, err)
			}
		}
		sink := &memorySink{away: fmt.Errorf("sync: %w", ErrNewer)}
		err := (&Runner{Kind: "okta", Instance: "prod", Source: &memoryOrg{limit: 3}, Sink: sink}).Run(t.Context())
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "prod") {
			t.Errorf("Run = %v", err)
		}
	})
}

// run runs r until the function that it returns is called, or the test ends.
func run(t *testing.T, r *Runner) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	stop = func() { inOrder(); cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// later is a time later, with all at rest.
func later(d time.Duration) {
	inOrder()
	time.Sleep(d)
	synctest.Wait()
}

func wantCalls(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The org's id is requested once, at the head of the log, between commits; the next
// position holds it. It is not requested if the position has it, and events are stored
// without it.
func TestRunnerAsksWhichOrg(t *testing.T) {
	for name, test := range map[string]struct {
		at    Position
		err   error
		asked int
		org   string
	}{
		"unknown":   {asked: 1, org: "00o1"},
		"assumed":   {at: Position{Org: "00o1", Assumed: "it is"}, asked: 1, org: "00o1"},
		"known":     {at: Position{Org: "00o2"}, org: "00o2"},
		"no answer": {err: errors.New("away"), asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org, sink := &memoryOrg{limit: 3}, &memorySink{at: test.at}
				sink.at.Link, sink.at.Seq = placeLink(0), 1
				org.add(5)
				asked := 0
				run(t, &Runner{Kind: "okta", Source: org, Sink: sink, Interval: time.Minute, Org: func(context.Context) (string, error) {
					asked++
					if len(sink.stored) < 5 {
						t.Errorf("asked when %d of 5 events were stored", len(sink.stored))
					}
					return "00o1", test.err
				}})
				later(10 * time.Minute)
				org.add(1)
				later(10 * time.Minute)
				sink.want(t, org)
				if asked != test.asked || sink.at.Org != test.org {
					t.Errorf("asked %d times, the position's org is %q; want %d and %q", asked, sink.at.Org, test.asked, test.org)
				}
			})
		})
	}
}

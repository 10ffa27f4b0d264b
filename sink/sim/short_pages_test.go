package sim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/backfill"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// Orgs that send fewer events than they are asked for, while more waits.

// An org that serves ten events at a time, whatever the limit, is drained at once, and is
// catching up until then. At the head it is asked once an interval.
func TestOrgThatServesFewerThanAsked(t *testing.T) {
	const interval = 5 * time.Minute
	c := oktatest.Config{Rate: oktatest.Rate{PerMinute: 600}, PageMost: 10}
	inBeat(t, interval, c, 1000, func(b *beat) {
		time.Sleep(30 * time.Second)
		b.mu.Lock()
		if want := []pipeline.State{pipeline.StateNew, pipeline.StateCatchingUp}; !slices.Equal(b.states[:2], want) || slices.Index(b.states, pipeline.StatePolling) < 2 {
			b.Errorf("states %v", b.states)
		}
		b.mu.Unlock()
		time.Sleep(interval)
		b.wantAll()
		from := b.org.Now()
		time.Sleep(10 * interval)
		if n := len(b.asked(from)); n != 10 {
			b.Errorf("asked %d times in 10 intervals", n)
		}
	})
}

// An org that cuts half of its pages short under load has more for each interval than
// a page holds. What it has is never older than two intervals.
func TestShortPagesInADrain(t *testing.T) {
	const interval = 5 * time.Minute
	c := oktatest.Config{Seed: 4, Rate: oktatest.Rate{PerMinute: 600}, ShortPages: 0.5}
	inBeat(t, interval, c, 2000, func(b *beat) {
		b.org.GenerateFrom(b.org.Now(), 3000, 100*time.Minute)
		time.Sleep(110 * time.Minute)
		b.wantAll()
		for _, d := range b.delays()[2000:] {
			if d > 2*interval+visible {
				b.Fatalf("an event was stored %v after it could be seen", d)
			}
		}
	})
}

// visible is what a poll leaves to an org for events to become visible.
const visible = time.Minute

// A busy org whose events become visible late always has older ones to show. That is no
// reason to ask it without end.
func TestLateEventsAreNoDrain(t *testing.T) {
	const interval = 30 * time.Second
	for name, test := range map[string]struct {
		lag  time.Duration
		most int // requests in 20 intervals
	}{"by seconds": {10 * time.Second, 22}, "by many minutes": {20 * time.Minute, 62}} {
		t.Run(name, func(t *testing.T) {
			c := oktatest.Config{Rate: oktatest.Rate{PerMinute: 1200}, Lag: oktatest.Lag{Typical: test.lag, Late: -1}}
			inBeat(t, interval, c, 0, func(b *beat) {
				b.org.GenerateFrom(b.org.Now(), 5000, 2*time.Hour)
				time.Sleep(time.Hour)
				from := b.org.Now()
				time.Sleep(20 * interval)
				if n := len(b.asked(from)); n > test.most {
					b.Errorf("asked %d times in 20 intervals", n)
				}
			})
		})
	}
}

// several are backfills, one after another.
type several []*backfill.Backfill

func (s several) at() *backfill.Backfill {
	for _, b := range s {
		if !b.Job.Ended() {
			return b
		}
	}
	return nil
}

func (s several) Next(ctx context.Context, due time.Time) (*pipeline.Past, error) {
	if b := s.at(); b != nil {
		return b.Next(ctx, due)
	}
	return nil, nil
}

func (s several) Stored(ctx context.Context, r pipeline.Receipt) error { return s.at().Stored(ctx, r) }

func (b *beat) backfills(spans ...time.Duration) several {
	var list several
	for i := 0; i < len(spans); i += 2 {
		job, err := backfill.NewJob(sinktest.Kind, string(rune('1'+i)), "prod", time.Now().Add(-spans[i]), time.Now().Add(-spans[i+1]), 0, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, &backfill.Backfill{Job: job,
			Source: &okta.Client{Instance: "prod", Origin: simOrigin, Credential: pipeline.NewSecret("00secret"), Limit: 50, Later: true,
				HTTP: &http.Client{Transport: b.org.Transport()}},
			Window: func(since, until time.Time) pipeline.Link { return okta.Window("", 50, since, until) },
			Save:   func(context.Context, backfill.Job) error { return nil },
		})
	}
	return list
}

// A backfill of a span that the live poll has not reached waits for it: the live poll is
// still to serve what a request for the past shows. A page that is not full is not the
// head.
func TestBackfillsAheadOfTheLivePoll(t *testing.T) {
	c := oktatest.Config{Seed: 5, Rate: oktatest.Rate{PerMinute: 100}, ShortPages: 0.4, Lag: oktatest.Lag{Late: 0.05, LateBy: 50 * time.Minute}}
	backlog := func(b *beat) pipeline.Backlog {
		b.org.GenerateFrom(b.org.Now().Add(-10*time.Hour), 2000, 10*time.Hour)
		return b.backfills(6*time.Hour, 5*time.Hour, 4*time.Hour, 2*time.Hour, 90*time.Minute, time.Minute)
	}
	inBeatWith(t, 10*time.Second, c, 0, backlog, func(b *beat) {
		time.Sleep(90 * time.Minute)
		b.wantAll()
		if at := b.backlog.(several).at(); at != nil {
			b.Errorf("a backfill is not done: %+v", at.Job)
		}
	})
}

// A busy org always has something new: its log never shows an empty page. A backfill
// makes progress all the same, and dedupe_from ends after a reopening.
func TestBusyOrgHasAPast(t *testing.T) {
	c := oktatest.Config{Seed: 6, Rate: oktatest.Rate{PerMinute: 1200}, Lag: oktatest.Lag{Typical: time.Second, Late: -1}}
	backlog := func(b *beat) pipeline.Backlog {
		b.client.Share = 1
		b.org.GenerateFrom(b.org.Now().Add(-5*time.Minute), 8_000, 33*time.Minute) // 4 a second
		return b.backfills(20*time.Hour, 2*time.Minute)
	}
	inBeatWith(t, 10*time.Second, c, 0, backlog, func(b *beat) {
		b.org.SetFault(busy)
		time.Sleep(15 * time.Minute)
		if at := b.backlog.(several).at(); at != nil {
			b.Errorf("the backfill is not done: %+v", at.Job)
		}
		from := b.org.Now()
		b.org.ExpireCursors()
		time.Sleep(3 * time.Minute)
		st := &sinktest.Fixture{T: b.T, Store: jets.Attach(b.conn, sinktest.Kind)}
		positions := positions(st)
		if last := positions[len(positions)-1]; last.DedupeFrom != 0 {
			b.Errorf("dedupe_from is %d three minutes after a reopening", last.DedupeFrom)
		}
		if n := len(b.asked(from)); n > 300 {
			b.Errorf("asked %d times in three minutes", n)
		}
		time.Sleep(5 * time.Minute)
		b.org.SetFault(nil)
		time.Sleep(10 * time.Minute)
		b.wantAll()
	})
}

// busy makes each answer take a moment, in which events happen.
func busy(oktatest.Request) oktatest.Fault { return oktatest.Fault{Wait: time.Second} }

// positions reads all positions of the stream, in order.
func positions(st *sinktest.Fixture) []pipeline.Position {
	st.Helper()
	var list []pipeline.Position
	for m := range st.Messages(jets.StreamSignals) {
		var p pipeline.Position
		if m.Subject == jets.SubjectPosition(sinktest.Kind.Name, "prod") && json.Unmarshal(m.Data, &p) == nil {
			list = append(list, p)
		}
	}
	return list
}

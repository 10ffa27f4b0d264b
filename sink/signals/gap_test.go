package signals

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// missed is the gaps that a sink reported.
type missed []pipeline.Gap

func (g *missed) trace() *pipeline.Trace {
	return &pipeline.Trace{PassedOver: func(_ string, gap pipeline.Gap) { *g = append(*g, gap) }}
}

// later returns a sink that starts when the org's clock is the given number of days
// later.
func (st *fixture) later(q Query, days int, g *missed) *Sink {
	st.Helper()
	q.Now = func() time.Time { return sinktest.Epoch.AddDate(0, 0, days) }
	s := New(st.Store, "prod", q, g.trace(), nil)
	_, err := s.Sync(st.Context())
	st.OK(err)
	return s
}

// dated returns a page of an answer that came the given number of days later.
func dated(p pipeline.Page, days int) pipeline.Page {
	p.Date = sinktest.Epoch.AddDate(0, 0, days)
	return p
}

// TestPauseBeyondRetention: nobody polled for longer than the org keeps its log. The link
// may still be accepted, but serves only what the org still has.
func TestPauseBeyondRetention(t *testing.T) {
	changed, moved := query(), under(ownDomain, "")
	changed.Hash = "q2"
	for name, c := range map[string]struct {
		q   Query
		why pipeline.Why
	}{
		"the link is taken": {query(), pipeline.WhyGap},
		"query changed":     {changed, pipeline.WhyReopen},
		"origin changed":    {moved, pipeline.WhyStart},
	} {
		t.Run(name, func(t *testing.T) {
			st := newFixture(t, jetstest.Config{})
			s := st.synced()
			through := sinktest.Event(7).Published
			p := short(s, 1, sinktest.Events(1, 8))
			p.Through = through
			st.commit(s, p)
			var told missed
			s = st.later(c.q, 100, &told)
			if len(told) != 0 {
				t.Fatalf("%v are told before the org has answered", told)
			}
			st.commit(s, dated(page(s, 2, sinktest.Events(9, 12)), 100))
			want := pipeline.Gap{From: through, Until: sinktest.Epoch.AddDate(0, 0, 10)}
			if len(told) != 1 || told[0] != want || *s.at.Gap != want {
				t.Fatalf("told of %v, the position says %v; want %v", told, s.at.Gap, want)
			}
			_, positions := st.stored()
			if last := positions[len(positions)-2]; last.Why != c.why || last.Gap == nil || last.Events != 0 {
				t.Errorf("the position that tells it is %+v", last)
			}
			p = dated(short(s, 3, sinktest.Events(13, 14)), 100)
			p.Through = p.Date
			st.commit(s, p)
			s = st.later(c.q, 101, &told)
			st.commit(s, dated(short(s, 4, sinktest.Events(15, 15)), 101))
			if len(told) != 1 || s.at.Gap == nil {
				t.Errorf("told of %v, and now the position says %v", told, s.at.Gap)
			}
			p = dated(short(s, 5, sinktest.Events(16, 16)), 200)
			p.Through = p.Date
			if st.commit(s, p); s.at.Gap != nil {
				t.Errorf("still told 90 days later: %v", s.at.Gap)
			}
			st.wantEvents(1, 16)
		})
	}
}

// TestNoGap: an org that was polled all the time and had no events has no gap.
func TestNoGap(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, short(s, 1, sinktest.Events(1, 8)))
	p := dated(short(s, 1, nil), 100)
	p.Next, p.Through = p.Link, p.Date
	st.commit(s, p)
	st.OK(s.settle(t.Context()))
	s.cursor.written = time.Time{}
	p.Through = p.Through.Add(time.Second)
	st.commit(s, p)
	var told missed
	q := query()
	q.Hash = "q2"
	s = st.later(q, 101, &told)
	if st.commit(s, dated(short(s, 2, nil), 101)); len(told) != 0 || s.at.Gap != nil {
		t.Errorf("told of %v", told)
	}
}

// TestSinceBeyondRetention: a fresh start asks for more than the org has.
func TestSinceBeyondRetention(t *testing.T) {
	for days, want := range map[int]int{90: 0, 120: 1} {
		st := newFixture(t, jetstest.Config{})
		var told missed
		q := query()
		q.Since.Age = time.Duration(days) * 24 * time.Hour
		s := st.later(q, 0, &told)
		st.commit(s, dated(short(s, 1, sinktest.Events(1, 2)), 0))
		if len(told) != want || (s.at.Gap != nil) != (want > 0) {
			t.Errorf("since %d days: told of %v, the position says %v", days, told, s.at.Gap)
		}
	}
}

// TestDraftedByAWrongClock: a query is drafted before the org's time is known, by a clock
// far ahead of it, which cuts off what was not read yet. The org's first answer corrects
// that.
func TestDraftedByAWrongClock(t *testing.T) {
	changed := query()
	changed.Hash = "q2"
	for name, q := range map[string]Query{"reopened": changed, "moved": under(ownDomain, "")} {
		t.Run(name, func(t *testing.T) {
			st := newFixture(t, jetstest.Config{})
			s := st.synced()
			st.commit(s, page(s, 1, sinktest.Events(1, 100)))
			q.Since.Age = time.Hour
			var told missed
			s = st.later(q, 91, &told)
			if _, err := s.Commit(t.Context(), s.at, dated(page(s, 2, sinktest.Events(300, 310)), 1)); !errors.Is(err, errClock) {
				t.Fatalf("a query that leaves out what was not read: %v", err)
			}
			s = st.later(q, 91, &told)
			if want := sinktest.Event(100).Published.Add(-sinktest.Kind.Lateness).Format(time.RFC3339); !strings.HasSuffix(string(s.at.Link), want) {
				t.Fatalf("goes on with %q, want since %s", s.at.Link, want)
			}
			st.commit(s, dated(short(s, 2, sinktest.Events(90, 200)), 1))
			if len(told) != 0 {
				t.Errorf("told of %v", told)
			}
			st.wantEvents(1, 200)
		})
	}
}

// TestStartOfAWrongClock: a fresh start by a clock that is ahead, or far ahead, of the
// org's asks for the span that its since means by the org's clock.
func TestStartOfAWrongClock(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	var told missed
	s := st.later(query(), 300, &told) // the org refuses this one: it begins in its future
	q := query()
	q.Now = func() time.Time { return sinktest.Epoch }
	s.query.Now = q.Now
	at, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	want := sinktest.Epoch.Add(-24 * time.Hour)
	if !strings.HasSuffix(string(at.Link), want.Format(time.RFC3339)) || !at.PublishedMax.Equal(want) {
		t.Errorf("reopened at %+v, want since %v", at, want)
	}
	st.commit(s, dated(short(s, 1, sinktest.Events(1, 2)), 0))
	if len(told) != 0 || s.at.Gap != nil || !s.at.CompleteThrough.Equal(want) {
		t.Errorf("told of %v, stands at %+v", told, s.at)
	}
}

// TestRefusedReopeningWritesNothing: however often the org refuses the new query.
func TestRefusedReopeningWritesNothing(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	want := s.at.Seq
	for range 3 {
		if at, err := s.Reopen(t.Context(), s.at); err != nil || at.Seq != want || at.Why != pipeline.WhyReopen {
			t.Fatalf("reopened at %+v, %v", at, err)
		}
	}
	if s = st.synced(); s.at.Seq != want || s.at.Link != sinktest.Link(1) {
		t.Errorf("stands at %+v", s.at)
	}
}

package signals

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// The tests below are histories, as in sync_test.go: an operator moves the
// position beside a poller, and nothing is stored twice and nothing lost.

func (st *fixture) operator() *Operator {
	return &Operator{Store: st.Store, Instance: "prod", By: "jo@desk", Note: "50 % of it, she said"}
}

func sure(Move) error { return nil }

func (st *fixture) rewind(to uint64, force bool) Move {
	st.Helper()
	m, err := st.operator().Rewind(st.Context(), Mark{Seq: to}, force, sure)
	st.OK(err)
	return m
}

// drained is a sink that has stored n pages of ten events, with the sequences of
// the positions after each; the page before page i+1 is page i.
func (st *fixture) drained(n int) (*Sink, []uint64) {
	st.Helper()
	s := st.synced()
	seqs := []uint64{s.at.Seq}
	for i := 1; i <= n; i++ {
		st.commit(s, page(s, i, sinktest.Events(10*i-9, 10*i)))
		seqs = append(seqs, s.at.Seq)
	}
	return s, seqs
}

// serve commits pages of ten from the sink's link(i) to link(n), then a short
// one that ends with the event last.
func (st *fixture) serve(s *Sink, from, n, last int) {
	st.Helper()
	for i := from + 1; i <= n; i++ {
		if s.at.DedupeFrom == 0 {
			st.Fatalf("dedupe_from gone before the head: %+v", s.at)
		}
		st.commit(s, page(s, i, sinktest.Events(10*i-9, 10*i)))
	}
	st.commit(s, short(s, 1000+n, sinktest.Events(10*n+1, last)))
}

// TestRewindUnderARunningPoller: the poller has a page in hand when the operator goes
// back; its commit is refused, and what is served again is compared, crash after crash.
func TestRewindUnderARunningPoller(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s, seqs := st.drained(8)
	inHand := page(s, 9, sinktest.Events(81, 90))
	m := st.rewind(seqs[2], false)
	if m.Again != 60 || m.Next.Why != pipeline.WhyRewind || m.Next.Link != sinktest.Link(2) || m.Next.DedupeFrom != seqs[2] {
		t.Fatalf("the move is %+v", m)
	}
	if !m.Next.PublishedMax.Equal(sinktest.Event(20).Published) || m.Next.LastEvent.UUID != sinktest.Event(80).UUID {
		t.Fatalf("published_max is %v, the last event %+v", m.Next.PublishedMax, m.Next.LastEvent)
	}
	if _, err := s.Commit(t.Context(), s.at, inHand); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the page in hand gave %v", err)
	}
	for i := 3; i <= 9; i++ {
		s = st.synced() // a crash after every page
		if s.at.Link != sinktest.Link(i-1) {
			t.Fatalf("goes on from %+v", s.at)
		}
		if r := st.commit(s, page(s, i, sinktest.Events(10*i-9, 10*i))); i < 9 && r.Repeats != 10 {
			t.Fatalf("page %d again: %+v", i, r)
		}
	}
	s = st.synced()
	st.commit(s, short(s, 10, sinktest.Events(91, 93)))
	if s.at.DedupeFrom != 0 {
		t.Fatalf("dedupe_from stays: %+v", s.at)
	}
	st.wantEvents(1, 93)
}

// TestRewindBringsWhatWasMissed: this is the purpose of a rewind.
func TestRewindBringsWhatWasMissed(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 10)))
	back := s.at.Seq
	st.commit(s, page(s, 2, slices.Concat(sinktest.Events(11, 13), sinktest.Events(16, 20)))) // 14 and 15 turn visible later
	st.commit(s, page(s, 3, sinktest.Events(21, 30)))
	st.rewind(back, false)
	s = st.synced()
	st.commit(s, page(s, 2, sinktest.Events(11, 20)))
	st.commit(s, page(s, 3, sinktest.Events(21, 30)))
	st.commit(s, short(s, 4, nil))
	got, _ := st.stored()
	slices.Sort(got)
	for i, e := range sinktest.Events(1, 30) {
		if i >= len(got) || got[i] != e.UUID || len(got) != 30 {
			t.Fatalf("stored %v", got)
		}
	}
}

// TestRewindTwice: a second rewind is refused before the first has ended; a forced one
// goes back from there, and the comparison begins at the earlier target.
func TestRewindTwice(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s, seqs := st.drained(8)
	st.rewind(seqs[5], false)
	_, err := s.Sync(t.Context())
	st.OK(err)
	st.commit(s, page(s, 6, sinktest.Events(51, 60)))
	part := s.at.Seq
	if _, err := st.operator().Rewind(t.Context(), Mark{Seq: seqs[2]}, false, sure); !errors.Is(err, pipeline.ErrMakingUp) {
		t.Fatalf("the second rewind gave %v", err)
	}
	st.rewind(seqs[2], true)
	_, err = s.Sync(t.Context())
	st.OK(err)
	st.serve(s, 2, 8, 83)
	st.wantEvents(1, 83)

	// To a position that was itself making up: its own dedupe_from.
	if m := st.rewind(part, false); m.Next.DedupeFrom != seqs[5] || m.Next.Link != sinktest.Link(6) {
		t.Fatalf("rewound into a rewind: %+v", m.Next)
	}
	s = st.synced()
	st.commit(s, page(s, 7, sinktest.Events(61, 70)))
	st.commit(s, page(s, 8, sinktest.Events(71, 80)))
	st.commit(s, short(s, 9, sinktest.Events(81, 83)))
	st.commit(s, short(s, 9, sinktest.Events(84, 84)))
	st.wantEvents(1, 84)
}

// TestRewindThenRepeatAcross: the org begins the page of the old link with the last event
// of the page before, which is stored before the target.
func TestRewindThenRepeatAcross(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	_, seqs := st.drained(8)
	st.rewind(seqs[2], false)
	s := st.synced()
	st.commit(s, page(s, 3, sinktest.Events(20, 30)))
	st.serve(s, 3, 8, 81)
	st.wantEvents(1, 81)
}

// TestRewindAcrossAReopening: a rewind to a position of the query before; the poller's
// own query differs, so it reopens from there.
func TestRewindAcrossAReopening(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	for i := 1; i <= 6; i++ {
		st.commit(s, page(s, i, sinktest.Events(60*i-59, 60*i))) // an hour each
	}
	back := s.at.Seq
	changed := query()
	changed.Hash = "q2"
	s = New(st.Store, "prod", changed, nil, nil)
	_, err := s.Sync(t.Context())
	st.OK(err)
	st.commit(s, short(s, 20, sinktest.Events(300, 370)))
	st.commit(s, short(s, 20, nil))
	st.commit(s, page(s, 21, sinktest.Events(371, 400)))

	st.rewind(back-61, false) // to after page 5
	s = New(st.Store, "prod", changed, nil, nil)
	at, err := s.Sync(t.Context())
	st.OK(err)
	since := sinktest.Event(300).Published.Add(-time.Hour)
	if at.Why != pipeline.WhyReopen || at.Query != "q2" || !strings.Contains(string(at.Link), since.Format("T15:04")) {
		t.Fatalf("after a rewind across a reopening: %+v", at)
	}
	st.commit(s, page(s, 30, sinktest.Events(190, 380))) // persisted up to 50 minutes late
	st.commit(s, short(s, 31, sinktest.Events(370, 410)))
	st.wantEvents(1, 410)
}

// TestRewindKeepsPublishedMax: an event that was repaired before an idle org's link is
// not served again by a rewind to that link, and must count in published_max all the
// same: a repair of the same span looks back no farther than that.
func TestRewindKeepsPublishedMax(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s, _ := st.drained(8)
	st.commit(s, short(s, 20, nil)) // the org moves the link
	idle := s.at.Seq
	missed := sinktest.Event(300)
	past := pipeline.Past{Events: []pipeline.Event{missed}, Why: pipeline.WhyRepair, From: missed.Published, Until: missed.Published.Add(time.Minute)}
	if r, err := s.Insert(t.Context(), s.at, past); err != nil || r.Stored != 1 {
		t.Fatalf("repair: %+v, %v", r, err)
	}
	st.rewind(idle, false)
	s = st.synced()
	st.commit(s, short(s, 21, nil))
	if s.at.DedupeFrom != 0 || s.at.PublishedMax.Before(missed.Published) {
		t.Fatalf("after the rewind: %+v", s.at)
	}
	s = st.synced()
	if r, err := s.Insert(t.Context(), s.at, past); err != nil || r.Stored != 0 || r.Repeats != 1 {
		t.Fatalf("repaired again: %+v, %v", r, err)
	}
}

// TestReopenByHand from before the first event, and from after the watermark.
func TestReopenByHand(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s, _ := st.drained(8)
	o := st.operator()
	m, err := o.Reopen(t.Context(), query(), sinktest.Epoch.Add(-48*time.Hour), false, sure)
	st.OK(err)
	if m.Again != 80 || m.Next.Why != pipeline.WhyReopen || m.Next.DedupeFrom == 0 {
		t.Fatalf("reopened: %+v", m)
	}
	if _, err := s.Commit(t.Context(), s.at, page(s, 9, sinktest.Events(81, 90))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the page in hand gave %v", err)
	}
	s = st.synced()
	if !s.at.PublishedMax.Equal(sinktest.Epoch.Add(-48 * time.Hour)) {
		t.Fatalf("published_max is %v", s.at.PublishedMax)
	}
	for i := range 4 {
		st.commit(s, page(s, 100+i, sinktest.Events(20*i+1, 20*i+20)))
		s = st.synced()
	}
	st.commit(s, short(s, 200, sinktest.Events(80, 85)))
	st.commit(s, short(s, 200, nil))
	st.wantEvents(1, 85)

	if _, err := o.Reopen(t.Context(), query(), time.Now(), false, sure); !errors.Is(err, ErrGap) {
		t.Fatalf("reopened after the watermark: %v", err)
	}
	other := query()
	other.Hash = "q2"
	if _, err := o.Reopen(t.Context(), other, sinktest.Epoch, true, sure); !errors.Is(err, ErrOtherQuery) {
		t.Fatalf("reopened with another query: %v", err)
	}
}

// TestRewindToATime picks a position after whose link nothing later comes.
func TestRewindToATime(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	start := s.at
	var seqs []uint64
	for i := range 6 {
		st.commit(s, page(s, i+1, sinktest.Events(60*i+1, 60*i+60)))
		seqs = append(seqs, s.at.Seq)
	}
	st.commit(s, short(s, 7, nil)) // the org moves the link of an empty page
	o := st.operator()
	stop := errors.New("asked")
	to := func(at time.Time) (Move, error) {
		return o.Rewind(t.Context(), Mark{Time: at}, false, func(Move) error { return stop })
	}
	for _, c := range []struct {
		at   time.Time
		want uint64 // 0: refused
	}{
		{sinktest.Event(300).Published, seqs[3]},                        // page 5 may hold what was persisted an hour later
		{sinktest.Event(299).Published, seqs[2]},                        // and so may page 4
		{sinktest.Event(420).Published, seqs[5]},                        // nobody knows to where the link of an empty page moved
		{time.Now(), 0},                                                 // nothing was stored since
		{start.PublishedMax, start.Seq},                                 // the start asks for all since
		{start.PublishedMax.Add(-time.Second), 0},                       // nothing goes back so far
		{sinktest.Event(60).Published.Add(59 * time.Minute), start.Seq}, // the hour is not over
		{sinktest.Event(60).Published.Add(time.Hour), seqs[0]},
	} {
		m, err := to(c.at)
		switch {
		case c.want == 0 && !errors.Is(err, ErrNothingAfter) && !errors.Is(err, ErrNoTarget):
			t.Errorf("to %v: %d, %v", c.at, m.Target.Seq, err)
		case c.want != 0 && (!errors.Is(err, stop) || m.Target.Seq != c.want):
			t.Errorf("to %v: %d, %v, want %d of %v", c.at, m.Target.Seq, err, c.want, seqs)
		}
	}
	if newest := st.synced().at; newest.Seq != s.at.Seq {
		t.Fatalf("what was not confirmed was written: %+v", newest)
	}
}

// TestOperatorBesideACommit: the poller commits between the operator's read and write,
// and between plan and confirmation.
func TestOperatorBesideACommit(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s, seqs := st.drained(4)
	m, err := st.operator().Rewind(t.Context(), Mark{Seq: seqs[2]}, false, func(Move) error {
		st.commit(s, page(s, 5, sinktest.Events(41, 50)))
		return nil
	})
	st.OK(err)
	if m.From.Seq != s.at.Seq || m.Next.LastEvent.UUID != sinktest.Event(50).UUID {
		t.Fatalf("moved from %d, the poller stood at %d: %+v", m.From.Seq, s.at.Seq, m)
	}
	s = st.synced()
	st.serve(s, 2, 5, 52)
	st.wantEvents(1, 52)

	_, err = st.operator().Rewind(t.Context(), Mark{Seq: seqs[2]}, false, func(Move) error {
		st.Delete(seqs[2])
		return nil
	})
	if !errors.Is(err, ErrMovedOn) {
		t.Fatalf("a target deleted meanwhile gave %v", err)
	}
}

// TestOperatorLeavesItsName in its position, and not in those after it.
func TestOperatorLeavesItsName(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	_, seqs := st.drained(3)
	m := st.rewind(seqs[1], false)
	s := st.synced()
	st.commit(s, page(s, 2, sinktest.Events(11, 20)))
	var names []string
	for step, err := range st.operator().History(t.Context()) {
		st.OK(err)
		names = append(names, step.By+step.Note)
		if step.Seq == m.Next.Seq && (step.By != "jo@desk" || step.Note != "50 % of it, she said") {
			t.Fatalf("by %q, note %q", step.By, step.Note)
		}
	}
	if len(names) != 6 || strings.Join(names, "") != names[1] {
		t.Fatalf("names in the history: %q", names)
	}
	standing, err := st.operator().CursorState(t.Context())
	st.OK(err)
	if standing.Seq != s.at.Seq || standing.Cursor == nil {
		t.Fatalf("stands at %+v", standing)
	}
	if _, err := (&Operator{Store: st.Store, Instance: "nobody"}).CursorState(t.Context()); !errors.Is(err, ErrNoPosition) {
		t.Fatalf("nobody's standing gave %v", err)
	}
}

// TestRewindCutAnywhere: the operator's process ends after each of its writes to the
// network. The position is stored or not, and the poller goes on either way.
func TestRewindCutAnywhere(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s, n := st.synced(), 0
	unmoved, acked := 0, 0
	for writes := 1; acked < 6; writes++ {
		back := s.at.Seq
		for range 2 {
			n++
			st.commit(s, page(s, n, sinktest.Events(10*n-9, 10*n)))
		}
		ok := st.rewindCut(back, writes)
		if ok {
			acked++
		}
		s = st.synced()
		if s.at.Why != pipeline.WhyRewind && !ok {
			// What was sent may be on its way still, until the fence has moved.
			_, err := s.Commit(t.Context(), s.at, short(s, 2000+n, nil))
			if err == nil {
				unmoved++
				continue
			}
			s = st.synced()
		}
		st.serve(s, n-2, n, 10*n)
		if s.at.DedupeFrom != 0 || writes > 40 {
			t.Fatalf("after %d writes: %+v", writes, s.at)
		}
	}
	if unmoved == 0 {
		t.Fatal("none was cut off before it wrote")
	}
	st.wantEvents(1, 10*n)
}

// rewindCut rewinds in a process that is cut off after the given number of writes to the
// network. It reports whether the process was told that it succeeded.
func (st *fixture) rewindCut(to uint64, writes int) bool {
	st.Helper()
	w := jetstest.NewProxy(st.Server)
	conn, err := jets.Connect(st.Context(), "", st.Server.AsService(), nats.InProcessServer(w), nats.NoReconnect())
	st.OK(err)
	defer conn.Close()
	o := &Operator{Store: jets.Attach(conn, sinktest.Kind), Instance: "prod"}
	_, err = o.Rewind(st.Context(), Mark{Seq: to}, false, func(Move) error {
		w.CutAfter(writes)
		return nil
	})
	return err == nil
}

// TestIdlePollerNoticesARewind: an idle poller at the head of a quiet log writes nothing
// that could be refused, and nobody wakes it.
func TestIdlePollerNoticesARewind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newFixture(t, jetstest.Config{})
		org := oktatest.New(oktatest.Config{Origin: sinktest.Origin, Rate: oktatest.Rate{PerMinute: -1}})
		org.Generate(60, 2*time.Hour)
		source := &okta.Client{Instance: "prod", Origin: sinktest.Origin, Credential: pipeline.NewSecret("00secret"), Limit: 10,
			HTTP: &http.Client{Transport: org.Transport()}}
		q := Query{Origin: sinktest.Origin, Hash: okta.Query("", 10), Since: pipeline.Since{Age: 3 * time.Hour},
			Start: func(since time.Time) pipeline.Link { return okta.Start("", 10, since) }}
		runner := &pipeline.Runner{Kind: "okta", Instance: "prod", Source: source, Sink: New(st.Store, "prod", q, nil, nil), Interval: 5 * time.Minute}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = runner.Run(ctx)
		}()
		time.Sleep(20 * time.Minute)
		var back uint64
		for step, err := range st.operator().History(t.Context()) {
			st.OK(err)
			back = step.Seq
			if step.PublishedMax.Before(time.Now().Add(-80 * time.Minute)) {
				break
			}
		}
		before := org.Stats().Events
		st.rewind(back, false)
		time.Sleep(11 * time.Minute) // two polls
		stop()
		<-done
		at, err := st.operator().CursorState(t.Context())
		st.OK(err)
		if at.DedupeFrom != 0 || org.Stats().Events == before {
			t.Fatalf("the poller has not noticed: %+v", at.Position)
		}
		n := 0
		for m := range st.Messages(jets.StreamSignals) {
			if m.Subject == jets.SubjectEvents(sinktest.Kind.Name, "prod") {
				n++
			}
		}
		if n != 60 {
			t.Fatalf("%d events stored", n)
		}
	})
}

package signals

import (
	"errors"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// TestImportALink: another program has delivered 40 events and kept the link after them. What
// follows is stored, each event once, also when the org refuses the link and a new query
// serves an hour again that the other program delivered.
func TestImportALink(t *testing.T) {
	for name, refused := range map[string]bool{"served": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			st := newFixture(t, jetstest.Config{})
			m, err := st.operator().Import(t.Context(), query(), Handover{Link: sinktest.Link(4), Newest: sinktest.Event(40).Published}, sure)
			st.OK(err)
			if m.Next.Why != pipeline.WhyImport || m.Next.Seq == 0 || m.Next.DedupeFrom != 0 {
				t.Fatalf("the position is %+v", m.Next)
			}
			if c := st.cursor(); c.StreamSeq != m.Next.Seq || c.Next != sinktest.Link(4) {
				t.Fatalf("CURSORS has %+v", c)
			}
			s := st.synced()
			if s.at.Link != sinktest.Link(4) || s.at.Seq != m.Next.Seq {
				t.Fatalf("the poller goes on from %+v", s.at)
			}
			first := 41
			if refused {
				at, err := s.Reopen(t.Context(), s.at)
				st.OK(err)
				want := query().Start(sinktest.Event(40).Published.Add(-sinktest.Kind.Lateness))
				if at.Link != want {
					t.Fatalf("reopened by %s, want %s", at.Link, want)
				}
				first = 1 // an hour holds 60 of these events
			}
			st.commit(s, page(s, 5, sinktest.Events(first, 50)))
			s = st.synced() // a crash
			st.commit(s, page(s, 6, sinktest.Events(51, 60)))
			st.commit(s, short(s, 7, sinktest.Events(61, 63)))
			st.wantEvents(first, 63)
		})
	}
}

// TestImportATime starts the overlap before, by a query like that of a fresh start.
func TestImportATime(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	newest := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	m, err := st.operator().Import(t.Context(), query(), Handover{Newest: newest}, sure)
	st.OK(err)
	since := newest.Add(-sinktest.Kind.Lateness)
	if m.Next.Why != pipeline.WhyStart || m.Next.Link != query().Start(since) || !m.Next.CompleteThrough.Equal(since) {
		t.Fatalf("the position is %+v", m.Next)
	}
	s := st.synced()
	st.commit(s, short(s, 1, sinktest.Events(1, 10)))
	st.wantEvents(1, 10)

	old, err := (&Operator{Store: st.Store, Instance: "old"}).Import(t.Context(), query(), Handover{Newest: newest.AddDate(-1, 0, 0)}, sure)
	st.OK(err)
	if age := time.Since(old.Next.PublishedMax); age > sinktest.Kind.Retention {
		t.Fatalf("starts %s ago, beyond what the org keeps", age)
	}
}

// TestImportIsTheFirst: no instance that was polled here is moved by an import, whoever is
// first; and a refusal to confirm writes nothing.
func TestImportIsTheFirst(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	from := Handover{Link: sinktest.Link(4), Newest: sinktest.Event(40).Published}
	no := errors.New("no")
	if _, err := st.operator().Import(t.Context(), query(), from, func(Move) error { return no }); !errors.Is(err, no) {
		t.Fatalf("not confirmed: %v", err)
	}
	if _, positions := st.stored(); len(positions) != 0 {
		t.Fatalf("wrote %+v", positions)
	}
	_, err := st.operator().Import(t.Context(), query(), from, func(Move) error {
		st.commit(st.synced(), page(st.synced(), 1, sinktest.Events(1, 10))) // the poller, meanwhile
		return nil
	})
	if !errors.Is(err, ErrStarted) {
		t.Fatalf("beside a poller: %v", err)
	}
	if _, err := st.operator().Import(t.Context(), query(), from, sure); !errors.Is(err, ErrStarted) {
		t.Fatalf("after a poller: %v", err)
	}
	st.Purge("signal-cursor.>")
	if _, err := st.operator().Import(t.Context(), query(), from, sure); !errors.Is(err, ErrStarted) {
		t.Fatalf("with CURSORS alone: %v", err)
	}
	st.wantEvents(1, 10)
}

// TestImportAboveEvents: events without any position are compared.
func TestImportAboveEvents(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 10)))
	st.Purge("signal-cursor.>")
	st.OK(st.Store.Conn.NATS.Publish("$KV.CURSORS.okta.prod", nil)) // as unreadable as none
	st.OK(st.Store.Conn.NATS.Flush())
	m, err := st.operator().Import(t.Context(), query(), Handover{Link: sinktest.Link(0), Newest: sinktest.Epoch}, sure)
	st.OK(err)
	if m.Next.DedupeFrom == 0 {
		t.Fatalf("the position is %+v", m.Next)
	}
	s = st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 10)))
	st.commit(s, short(s, 2, sinktest.Events(11, 12)))
	st.wantEvents(1, 12)
}

// TestRestoreAnExport: the cluster is lost with all that it kept. In a new one, polling goes
// on from the exported position: what was stored before is not stored again, what came
// after the export is, each event once.
func TestRestoreAnExport(t *testing.T) {
	lost := newFixture(t, jetstest.Config{})
	s, _ := lost.drained(3)
	state, err := lost.operator().CursorState(t.Context())
	lost.OK(err)
	lost.commit(s, page(s, 4, sinktest.Events(31, 40))) // after the export

	st := newFixture(t, jetstest.Config{})
	p, err := st.operator().Restore(t.Context(), state.Position)
	st.OK(err)
	if p.Why != pipeline.WhyRestore || p.Link != sinktest.Link(3) || !p.CompleteThrough.Equal(state.CompleteThrough) || p.DedupeFrom != 0 {
		t.Fatalf("the position is %+v", p)
	}
	if _, err := st.operator().Restore(t.Context(), state.Position); !errors.Is(err, ErrStarted) {
		t.Fatalf("restored twice: %v", err)
	}
	s = st.synced()
	st.commit(s, page(s, 4, sinktest.Events(31, 40)))
	st.commit(s, short(s, 5, sinktest.Events(41, 44)))
	st.wantEvents(31, 44)
}

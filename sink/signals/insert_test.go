package signals

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// day is a span that holds all events of these tests.
func day(why pipeline.Why, list []pipeline.Event) pipeline.Past {
	return pipeline.Past{Why: why, Events: list, From: sinktest.Epoch, Until: sinktest.Epoch.Add(24 * time.Hour), Link: sinktest.Link(0)}
}

func (st *fixture) insert(s *Sink, past pipeline.Past) pipeline.Receipt {
	st.Helper()
	r, err := s.Insert(st.Context(), s.at, past)
	st.OK(err)
	return r
}

// wantOnce checks that the stream holds each event from first to last once, in
// whatever order.
func (st *fixture) wantOnce(first, last int) {
	st.Helper()
	var want []string
	for _, e := range sinktest.Events(first, last) {
		want = append(want, e.UUID)
	}
	got, _ := st.stored()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		st.Fatalf("stored %d events %v\nwant   %d", len(got), got, len(want))
	}
}

// settled is a sink that has made up for its start, so that dedupe_from is not set.
func (st *fixture) settled(list []pipeline.Event) *Sink {
	st.Helper()
	s := st.synced()
	st.commit(s, page(s, 1, list))
	st.commit(s, short(s, 2, nil))
	if s.at.DedupeFrom != 0 {
		st.Fatalf("dedupe_from is %d", s.at.DedupeFrom)
	}
	return s
}

// Events of the past are stored in order, with the header that says so, before a copy of
// the position: its link and watermark stay, its published_max rises.
func TestInsert(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(1, 3))
	before := s.at
	r := st.insert(s, day(pipeline.WhyRepair, sinktest.Events(4, 8)))
	if r.Stored != 5 || r.Repeats != 0 || r.Position.Seq != s.at.Seq {
		t.Errorf("%+v", r)
	}
	st.wantEvents(1, 8)
	at := s.at
	if at.Link != before.Link || !at.CompleteThrough.Equal(before.CompleteThrough) || at.Why != pipeline.WhyRepair || at.Events != 5 ||
		!at.PublishedMax.Equal(sinktest.Event(8).Published) || at.LastEvent.UUID != sinktest.Event(3).UUID {
		t.Errorf("position %+v after %+v", at, before)
	}
	for m := range st.Messages(jets.StreamSignals) {
		if id := m.Header.Get(jets.HeaderID); id != "" {
			if want := map[bool]string{true: "repair"}[id > sinktest.Event(3).UUID]; m.Header.Get(jets.HeaderOrigin) != want {
				t.Errorf("%s has the origin %q, want %q", id, m.Header.Get(jets.HeaderOrigin), want)
			}
		}
	}
	st.commit(s, short(s, 3, sinktest.Events(9, 9)))
	st.wantEvents(1, 9)
	st.OK(s.settle(t.Context()))
	if c := st.cursor(); c.StreamSeq != s.at.Seq {
		t.Errorf("CURSORS is at %d, the position at %d", c.StreamSeq, s.at.Seq)
	}
}

// The source of an org with a base_url is its fqdn, also in what an operator stores
// without knowing the integration.
func TestSourceOfEvents(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	const source = "https://id.acme.com"
	q := query()
	q.Source = source
	s := New(st.Store, "prod", q, nil, nil)
	_, err := s.Sync(t.Context())
	st.OK(err)
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	ledger, err := (&Ledger{Store: st.Store, Instance: "prod"}).attach(t.Context())
	st.OK(err)
	st.insert(ledger, day(pipeline.WhyRepair, sinktest.Events(3, 3)))
	_, err = New(st.Store, "idle", q, nil, nil).Sync(t.Context())
	st.OK(err)
	ledger, err = (&Ledger{Store: st.Store, Instance: "idle", Source: source}).attach(t.Context())
	st.OK(err)
	st.insert(ledger, day(pipeline.WhyRepair, sinktest.Events(1, 1)))
	n := 0
	for m := range st.Messages(jets.StreamSignals) {
		if m.Header.Get(jets.HeaderID) == "" {
			continue
		}
		if n++; m.Header.Get(jets.HeaderSource) != source {
			t.Errorf("%s has the source %q", m.Header.Get(jets.HeaderID), m.Header.Get(jets.HeaderSource))
		}
	}
	if n != 4 {
		t.Errorf("%d events", n)
	}
}

// Stored events are left out, however old they are: by the process that stored them, by
// one that has just started, and by one that read its ids before the live poll stored
// more.
func TestInsertDropsWhatIsStored(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(1, 3))
	for n := range 6 {
		st.commit(s, short(s, 10+n, sinktest.Events(4+n, 4+n)))
	}
	s.recent = recent{}
	if r := st.insert(s, day(pipeline.WhyBackfill, sinktest.Events(1, 12))); r.Stored != 3 || r.Repeats != 9 {
		t.Errorf("%+v", r)
	}
	st.commit(s, short(s, 20, sinktest.Events(13, 14)))
	s.recent = recent{}
	if r := st.insert(s, day(pipeline.WhyBackfill, sinktest.Events(8, 15))); r.Stored != 1 {
		t.Errorf("after more was stored: %+v", r)
	}
	other := st.synced()
	other.recent = recent{}
	if r := st.insert(other, day(pipeline.WhyBackfill, append(sinktest.Events(1, 15), sinktest.Events(15, 16)...))); r.Stored != 1 {
		t.Errorf("another process: %+v", r)
	}
	st.wantOnce(1, 16)
	if _, err := s.Insert(t.Context(), s.at, day(pipeline.WhyBackfill, sinktest.Events(16, 17))); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("a stale position: %v", err)
	}
}

// The ids of a span are read from the anchor: an event that was published just before a
// position's published_max may be stored after that position.
func TestInsertKnowsWhatCameLate(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(200, 203))
	st.commit(s, short(s, 3, sinktest.Events(190, 195)))
	st.commit(s, short(s, 4, sinktest.Events(300, 300)))
	for n := range 4 {
		st.commit(s, short(s, 10+n, sinktest.Events(301+n, 301+n)))
	}
	fresh := st.synced()
	fresh.recent = recent{}
	past := pipeline.Past{Why: pipeline.WhyBackfill, Events: sinktest.Events(190, 195), From: sinktest.Event(190).Published, Until: sinktest.Event(196).Published}
	if r := st.insert(fresh, past); r.Stored != 0 {
		t.Errorf("%+v", r)
	}
}

// Nothing of the past is stored while known events are served again, under a position
// that is not the newest, or after a foreign event.
func TestInsertIsRefused(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(1, 3))
	zombie := st.synced()
	st.commit(s, short(s, 3, sinktest.Events(4, 4)))
	if _, err := zombie.Insert(t.Context(), zombie.at, day(pipeline.WhyRepair, sinktest.Events(4, 5))); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("a stale fence: %v", err)
	}
	_, err := st.Store.Conn.JS.PublishMsg(t.Context(), &nats.Msg{Subject: jets.SubjectEvents(sinktest.Kind.Name, "prod"), Data: sinktest.Event(6).Data, Header: nats.Header{jets.HeaderID: {sinktest.Event(6).UUID}}})
	st.OK(err)
	if _, err := s.Insert(t.Context(), s.at, day(pipeline.WhyRepair, sinktest.Events(5, 6))); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("over a foreign event: %v", err)
	}
	_, err = s.Sync(t.Context())
	st.OK(err)
	if _, err := s.Insert(t.Context(), s.at, day(pipeline.WhyRepair, sinktest.Events(5, 6))); !errors.Is(err, pipeline.ErrMakingUp) {
		t.Errorf("with dedupe_from at %d: %v", s.at.DedupeFrom, err)
	}
	st.commit(s, short(s, 4, nil))
	s.recent = recent{}
	if r := st.insert(s, day(pipeline.WhyRepair, sinktest.Events(5, 6))); r.Stored != 1 {
		t.Errorf("the foreign event is not known: %+v", r)
	}
	st.wantOnce(1, 6)
}

// A reopening serves again what was persisted after its since, including what a repair
// stored. published_max says how far back that is.
func TestReopenAfterInsert(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(1, 3))
	for n := range 4 { // pages enough to push the repair's ids out
		st.commit(s, short(s, 10+n, sinktest.Events(4+n, 4+n)))
	}
	st.insert(s, day(pipeline.WhyRepair, sinktest.Events(400, 410)))
	for n := range 4 {
		st.commit(s, short(s, 20+n, sinktest.Events(8+n, 8+n)))
	}
	_, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	st.commit(s, page(s, 30, sinktest.Events(400, 412))) // persisted at the end
	st.commit(s, short(s, 31, nil))
	got, _ := st.stored()
	if want := 11 + 13; len(got) != want {
		t.Fatalf("stored %d events, want %d: %v", len(got), want, got)
	}
	if from := s.at.PublishedMax; from.Before(sinktest.Event(410).Published) {
		t.Errorf("published_max is %v", from)
	}
}

// A rule of the anchor: the published_max of a position before the repair does not cover
// it, and that of one after it does.
func TestAnchorBehindInsert(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(1, 3))
	st.insert(s, day(pipeline.WhyRepair, sinktest.Events(300, 301)))
	repair := s.at.Seq
	st.commit(s, short(s, 3, sinktest.Events(4, 5)))
	anchor, err := s.anchor(t.Context(), sinktest.Event(290).Published)
	st.OK(err)
	if anchor >= repair {
		t.Errorf("the anchor of a query from before the repaired events is %d, the repair stands at %d", anchor, repair)
	}
}

// TestInsertCutAnywhere ends a process during an insertion, after each number of bytes
// that it sends. The next process inserts the same events again.
func TestInsertCutAnywhere(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	cuts, whole := 0, false
	for ; !whole && cuts < 200; cuts++ {
		whole = st.cutInsertAt(fmt.Sprint("cut-", cuts), 60*cuts)
	}
	stored := map[string][]string{}
	for m := range st.Messages(jets.StreamSignals) {
		if id := m.Header.Get(jets.HeaderID); id != "" {
			stored[m.Subject] = append(stored[m.Subject], id)
		}
	}
	for n := range cuts {
		got := stored[jets.SubjectEvents(sinktest.Kind.Name, fmt.Sprint("cut-", n))]
		slices.Sort(got)
		if len(got) != 9 || len(slices.Compact(got)) != 9 {
			t.Errorf("cut after %d bytes: stored %v", 60*n, got)
		}
	}
	if cuts < 15 || !whole {
		t.Fatalf("%d cuts, whole: %v", cuts, whole)
	}
}

func (st *fixture) cutInsertAt(instance string, bytes int) bool {
	st.Helper()
	wire := &shortWire{server: st.Server, left: -1}
	conn, err := jets.Connect(st.Context(), "", st.Server.AsService(), nats.InProcessServer(wire), nats.NoReconnect())
	st.OK(err)
	defer conn.Close()
	s := New(jets.Attach(conn, sinktest.Kind), instance, query(), nil, nil)
	_, err = s.Sync(st.Context())
	st.OK(err)
	st.commit(s, page(s, 1, sinktest.Events(6, 8)))
	st.commit(s, short(s, 2, nil))
	st.OK(s.settle(st.Context()))
	past := day(pipeline.WhyBackfill, append(sinktest.Events(1, 5), sinktest.Events(8, 8)...))
	st.OK(s.know(st.Context(), past.From, past.Until))
	wire.cutAfter(bytes)
	_, err = s.Insert(st.Context(), s.at, past)
	if err == nil {
		err = s.settle(st.Context())
	}
	conn.Close()

	next := New(st.Store, instance, query(), nil, nil)
	_, failed := next.Sync(st.Context())
	st.OK(failed)
	st.insert(next, past)
	st.commit(next, short(next, 3, sinktest.Events(9, 9)))
	return err == nil
}

// A short page proves nothing: dedupe_from ends when everything has been served that was
// known before.
func TestDedupeFromEndsAtTheHead(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.settled(sinktest.Events(1, 5))
	_, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	for n, list := range [][]pipeline.Event{nil, sinktest.Events(1, 2), nil, sinktest.Events(6, 6), sinktest.Events(3, 5)} {
		p := short(s, 20+n, list)
		p.CaughtUp = false
		if st.commit(s, p); s.at.DedupeFrom == 0 {
			t.Fatalf("dedupe_from ends with short page %d, while known events are to come", n)
		}
	}
	if st.commit(s, short(s, 30, nil)); s.at.DedupeFrom != 0 {
		t.Error("dedupe_from does not end at the head")
	}
}

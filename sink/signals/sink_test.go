package signals

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func TestCommitStoresEventsAndPosition(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	start := s.at
	if start.Seq == 0 || start.Why != pipeline.WhyStart {
		t.Fatalf("fresh start is %+v", start)
	}
	p := short(s, 1, sinktest.Events(1, 3))
	p.Through = sinktest.Epoch.Add(time.Hour)
	r := st.commit(s, p)
	if r.Stored != 3 || r.Repeats != 0 || r.Position.Link != sinktest.Link(1) || r.Position.Seq != start.Seq+4 {
		t.Fatalf("receipt %+v", r)
	}
	st.wantEvents(1, 3)
	_, positions := st.stored()
	got := positions[len(positions)-1]
	if got.Events != 3 || got.LastEvent.UUID != "id-0003" || !got.PublishedMax.Equal(sinktest.Event(3).Published) || !got.CompleteThrough.Equal(p.Through) {
		t.Fatalf("position %+v", got)
	}
	if again := st.synced(); again.at.Link != sinktest.Link(1) || again.at.Seq != r.Position.Seq {
		t.Fatalf("sync finds %+v", again.at)
	}
	c := st.cursor()
	if c.StreamSeq != r.Position.Seq || c.Next != sinktest.Link(1) || c.Origin != sinktest.Origin || c.StreamCreated.IsZero() {
		t.Fatalf("cursor %+v", c)
	}
}

// TestEventHeaders: CloudEvents in binary mode, lower case, and no message id that the
// server would deduplicate by.
func TestEventHeaders(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	odd := sinktest.Event(1)
	odd.UUID, odd.Type, odd.Time, odd.Data = "id 1%ü", "", "", []byte(`{"n":1}`)
	st.commit(s, page(s, 1, []pipeline.Event{sinktest.Event(2), odd}))
	var got []map[string][]string
	for m := range st.Messages(jets.StreamSignals) {
		if m.Subject == "signals.okta.prod" {
			got = append(got, m.Header)
		}
	}
	want := []map[string]string{
		{"ce-specversion": "1.0", "ce-id": "id-0002", "ce-source": sinktest.Origin, "ce-type": "com.okta.user.session.start", "ce-time": sinktest.Event(2).Time, "ce-datacontenttype": "application/json"},
		{"ce-id": "id%201%25%C3%BC", "ce-type": "com.okta.unknown"},
	}
	for i, headers := range want {
		for name, value := range headers {
			if v := got[i][name]; len(v) != 1 || v[0] != value {
				t.Errorf("event %d: %s is %q, want %q", i, name, v, value)
			}
		}
	}
	if _, there := got[1]["ce-time"]; there || got[0]["Nats-Msg-Id"] != nil {
		t.Errorf("headers too many: %v", got)
	}
	if again := st.synced(); !again.recent.has(idOf(odd.UUID)) {
		t.Error("an encoded id is not recognised after a restart")
	}
}

func TestStaleSinkIsFenced(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	a, b := st.synced(), st.synced()
	b.recent, a.recent = recent{}, recent{} // the fence alone
	st.commit(a, page(a, 1, sinktest.Events(1, 5)))
	if _, err := b.Commit(t.Context(), b.at, page(b, 1, sinktest.Events(1, 5))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a stale commit gave %v", err)
	}
	if _, err := b.Commit(t.Context(), b.at, page(b, 1, nil)); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a stale move without events gave %v", err)
	}
	st.wantEvents(1, 5)
	at, err := b.Sync(t.Context())
	if err != nil || at.Link != sinktest.Link(1) {
		t.Fatalf("sync after the fence: %+v, %v", at, err)
	}
	st.commit(b, page(b, 2, sinktest.Events(6, 7)))
	st.wantEvents(1, 7)
}

// TestCommitRefusesAnotherPosition: a commit must follow the newest position.
func TestCommitRefusesAnotherPosition(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.sink()
	if _, err := s.Commit(t.Context(), pipeline.Position{}, pipeline.Page{}); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a commit before a sync gave %v", err)
	}
}

func TestRepeatsAreDropped(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, append(sinktest.Events(1, 3), sinktest.Event(2)))) // in one page
	r := st.commit(s, page(s, 2, sinktest.Events(2, 5)))                       // in two
	if r.Repeats != 2 || r.Stored != 2 {
		t.Fatalf("receipt %+v", r)
	}
	s = st.synced() // across a restart, two pages back
	st.commit(s, page(s, 3, sinktest.Events(1, 6)))
	st.wantEvents(1, 6)
}

func TestUnmovedPageWritesNothing(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 3)))
	_, before := st.stored()
	p := short(s, 1, sinktest.Events(1, 3))
	p.Through = time.Now().Add(time.Hour)
	s.cursor.written = time.Time{} // as after 15 s
	r := st.commit(s, p)
	if _, after := st.stored(); len(after) != len(before) || r.Stored != 0 || r.Repeats != 3 {
		t.Fatalf("an unmoved page wrote: %+v", r)
	}
	st.OK(s.settle(t.Context()))
	if c := st.cursor(); !c.CompleteThrough.Equal(p.Through) {
		t.Fatalf("idle watermark in the cursor is %v", c.CompleteThrough)
	}
	if again := st.synced(); !again.at.CompleteThrough.Equal(p.Through) {
		t.Fatalf("a restart lost the idle watermark: %v", again.at.CompleteThrough)
	}
}

// TestIdleCursorIsHealed: a foreign entry in CURSORS is noticed at the next write, an
// idle instance's included, and the poll after that corrects it.
func TestIdleCursorIsHealed(t *testing.T) {
	for name, notice := range map[string]func(*fixture, *Sink){
		"by a page": func(st *fixture, s *Sink) { st.commit(s, page(s, 2, sinktest.Events(4, 5))) },
		"by an idle poll": func(st *fixture, s *Sink) {
			s.cursor.written = time.Time{} // as after 15 s
			p := short(s, 1, nil)
			p.Through = time.Now().Add(time.Hour)
			st.commit(s, p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newFixture(t, jetstest.Config{})
			s := st.synced()
			st.commit(s, page(s, 1, sinktest.Events(1, 3)))
			st.OK(s.settle(t.Context()))
			st.Write(jets.BucketSubject(jets.BucketCursors, jets.Key(sinktest.Kind.Name, "prod")), "{")
			notice(st, s)
			p := short(s, 2, nil)
			p.Next, p.Through = p.Link, time.Now().Add(2*time.Hour)
			st.commit(s, p)
			if c := st.cursor(); c.Next != s.at.Link || !c.CompleteThrough.Equal(p.Through) {
				t.Fatalf("cursor not healed: %+v", c)
			}
		})
	}
}

// TestUnmovedLinkGrows: a page whose answer names no next link is served again, and
// longer: however often, nothing is stored twice.
func TestUnmovedLinkGrows(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	for last := 3; last <= 9; last++ {
		p := short(s, 0, sinktest.Events(3, last))
		p.Next = p.Link
		st.commit(s, p)
		if last%3 == 0 {
			s = st.synced()
		}
	}
	if s.at.DedupeFrom == 0 || s.at.Why != pipeline.WhyPart {
		t.Fatalf("position of a link not left: %+v", s.at)
	}
	st.commit(s, page(s, 2, sinktest.Events(3, 10)))
	if s.at.DedupeFrom != 0 {
		t.Fatalf("dedupe_from outlived its link: %+v", s.at)
	}
	st.wantEvents(1, 10)
}

// TestPageIsSplit: a server that accepts ten messages a batch gets a page of 35 events in
// parts, and a restart after any part goes on within the page.
func TestPageIsSplit(t *testing.T) {
	st := newFixture(t, jetstest.Config{Limits: server.JSLimitOpts{MaxBatchSize: 10}})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	first := page(s, 2, sinktest.Events(3, 37))
	c := s.sift(first)
	for stored := 0; stored < 21; stored += 7 {
		st.OK(s.part(t.Context(), first, c, stored, 7, false))
		s = st.synced()
		if s.at.Link != sinktest.Link(1) || s.at.DedupeFrom == 0 {
			t.Fatalf("position after a part: %+v", s.at)
		}
		c = s.sift(first)
		if len(c.events) != 35-stored-7 {
			t.Fatalf("%d events left after %d", len(c.events), stored+7)
		}
		c.events, c.ids = append(make([]pipeline.Event, stored+7), c.events...), append(make([]id, stored+7), c.ids...)
	}
	r := st.commit(s, first)
	if s.at.DedupeFrom != 0 || s.at.Link != sinktest.Link(2) || r.Repeats != 21 {
		t.Fatalf("position after the last part: %+v, %+v", s.at, r)
	}
	st.commit(s, page(s, 3, sinktest.Events(1, 40))) // also repeats from before the split page
	st.wantEvents(1, 40)
}

func TestMoreEventsThanABatch(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2500)))
	st.wantEvents(1, 2500)
}

func TestDeadLetters(t *testing.T) {
	st := newFixture(t, jetstest.Config{MaxPayload: 64 << 10})
	s := st.synced()
	huge := sinktest.Event(2)
	huge.Data = []byte(`{"uuid":"id-0002","x":"` + strings.Repeat("x", 70<<10) + `"}`)
	list := []pipeline.Event{sinktest.Event(1), {Data: []byte(`null`), Flaw: pipeline.FlawNotObject}, {Data: []byte(`{"uuid":7}`), Flaw: pipeline.FlawNoUUID}, huge, sinktest.Event(3)}
	p := page(s, 1, list)
	r := st.commit(s, p)
	if r.Stored != 2 || r.DeadLetters != 3 {
		t.Fatalf("receipt %+v", r)
	}
	again := st.synced()
	_, err := again.writeDeadLetters(t.Context(), p.Link, again.sift(p).dead) // as a restart before the commit would
	st.OK(err)
	var got []string
	for m := range st.Messages(jets.StreamDeadLetter) {
		got = append(got, fmt.Sprint(m.Subject, m.Header.Get("Signal-Reason"), m.Header.Get("Signal-Size"), len(m.Data) < 64<<10))
		if m.Header.Get("Signal-Cursor") != string(p.Link) {
			t.Errorf("cursor %q", m.Header.Get("Signal-Cursor"))
		}
	}
	want := fmt.Sprint([]string{
		fmt.Sprint("deadletter.okta.prod", "not_an_object", "4", true),
		fmt.Sprint("deadletter.okta.prod", "no_uuid", "10", true),
		fmt.Sprint("deadletter.okta.prod", "too_large", fmt.Sprint(len(huge.Data)), true),
	})
	if fmt.Sprint(got) != want {
		t.Fatalf("dead letters %v\nwant         %v", got, want)
	}
}

// A uuid that fits no header makes its event alone a dead letter; the longest accepted
// uuid is one that the server takes. A type or a time that is too long is left out.
func TestLongHeaders(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	long := func(length int) string { return strings.Repeat("\u00fc", length/6) + strings.Repeat("x", length%6) }
	named := func(length int) pipeline.Event {
		e := sinktest.Event(1)
		e.UUID = long(length)
		return e
	}
	fits := sort.Search(maxHeader, func(n int) bool { e := named(n); return s.envelope().Larger(&e, s.store.MaxMessage()) }) - 1
	typed, timed := sinktest.Event(2), sinktest.Event(3)
	typed.Type, timed.Time = long(200_000), long(200_000)
	list := []pipeline.Event{sinktest.Event(1), named(fits), named(fits + 1), named(200_000), typed, timed, sinktest.Event(4)}
	if r := st.commit(s, page(s, 1, list)); r.Stored != 5 || r.DeadLetters != 2 {
		t.Fatalf("receipt %+v", r)
	}
	for m := range st.Messages(jets.StreamDeadLetter) {
		if reason := m.Header.Get(HeaderReason); reason != string(pipeline.FlawTooLarge) {
			t.Errorf("reason %s", reason)
		}
	}
	n := 0
	for m := range st.Messages(jets.StreamSignals) {
		id := m.Header.Get(jets.HeaderID)
		if id == "" {
			continue
		}
		n++
		if without := m.Header.Get(jets.HeaderTime) == ""; without != (id == timed.UUID) {
			t.Errorf("%.20s has the time %q", id, m.Header.Get(jets.HeaderTime))
		}
		if unknown := m.Header.Get(jets.HeaderType) == "com.okta.unknown"; unknown != (id == typed.UUID) {
			t.Errorf("%.20s has the type %q", id, m.Header.Get(jets.HeaderType))
		}
	}
	if n != 5 {
		t.Errorf("%d events stored", n)
	}
}

// TestFuturePublished: an event dated after the org's own clock does not make a reopening
// skip unread events.
func TestFuturePublished(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	bad := sinktest.Event(1)
	bad.Published = sinktest.Epoch.AddDate(9, 0, 0)
	p := page(s, 1, []pipeline.Event{bad})
	p.Date = time.Now().Add(24 * time.Hour).Truncate(time.Second)
	st.commit(s, p)
	if s.at.PublishedMax.After(p.Date.Add(time.Second)) {
		t.Fatalf("published_max is %v", s.at.PublishedMax)
	}
}

func TestTwoInstancesOfOneOrg(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	a := st.synced()
	b := New(st.Store, "other", query(), nil, nil)
	_, err := b.Sync(t.Context())
	st.OK(err)
	st.commit(a, page(a, 1, sinktest.Events(1, 3)))
	r := st.commit(b, page(b, 1, sinktest.Events(1, 3)))
	if r.Stored != 3 {
		t.Fatalf("the second instance got %+v", r)
	}
}

// A known uuid with other bytes is dropped as a repeat; its bytes are kept as a dead
// letter, once. That applies within a page, and to what this process stored lately.
func TestConflictingRepeats(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	other := func(i int, text string) pipeline.Event {
		e := sinktest.Event(i)
		e.Data = []byte(`{"uuid":"` + e.UUID + `","x":"` + text + `"}`)
		return e
	}
	commit := func(next int, stored, repeats, dead int, list ...pipeline.Event) {
		t.Helper()
		if r := st.commit(s, page(s, next, list)); r.Stored != stored || r.Repeats != repeats || r.DeadLetters != dead {
			t.Fatalf("stored %d, repeats %d, dead letters %d", r.Stored, r.Repeats, r.DeadLetters)
		}
	}
	commit(1, 2, 2, 1, sinktest.Event(1), sinktest.Event(2), other(2, "a"), sinktest.Event(1))
	commit(2, 1, 2, 1, other(1, "b"), sinktest.Event(2), sinktest.Event(3))
	commit(3, 0, 3, 2, other(1, "b"), other(2, "a"), sinktest.Event(1)) // the same ones, under another link
	commit(4, 0, 2, 1, sinktest.Event(3), other(3, strings.Repeat("c", 100)))
	st.wantEvents(1, 3)
	want := []string{string(other(2, "a").Data), string(other(1, "b").Data), string(other(3, strings.Repeat("c", 100)).Data)}
	var got []string
	for m := range st.Messages(jets.StreamDeadLetter) {
		if m.Header.Get("Signal-Reason") != "conflicting_repeat" {
			t.Errorf("reason %q", m.Header.Get("Signal-Reason"))
		}
		got = append(got, string(m.Data))
	}
	if !slices.Equal(got, want) {
		t.Errorf("dead letters %q, want %q", got, want)
	}
	s = st.synced() // what was stored before a restart is known by its id alone
	commit(5, 1, 2, 0, other(3, "d"), other(1, "e"), sinktest.Event(4))
	commit(6, 0, 1, 1, other(4, "f"))
	st.wantEvents(1, 4)
}

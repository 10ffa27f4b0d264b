package signals

import (
	"encoding/json"
	"errors"
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
)

// The tests below are histories: each is a way in which a rule of the commit
// protocol, left out, loses an event or stores one twice. What a sink remembers of
// recent ids is taken away where they would hide the rule.

// TestFreshStartsRace: two processes find nothing and both write a first position that
// expects none; one of them is refused, syncs and continues from the other's.
func TestFreshStartsRace(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	a, b := st.sink(), st.sink()
	a.stream, _ = st.Store.Conn.Extent(t.Context())
	b.stream = a.stream
	st.OK(a.start(t.Context()))
	if err := b.start(t.Context()); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the second fresh start gave %v", err)
	}
	at, err := b.Sync(t.Context())
	st.OK(err)
	if at.Seq != a.at.Seq {
		t.Fatalf("the second goes on from %d, the first wrote %d", at.Seq, a.at.Seq)
	}
}

// TestNewestPositionDeleted: deleting the newest position makes the fence of
// the one before valid again, and events stand above it.
func TestNewestPositionDeleted(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	zombie := st.synced()
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.Delete(s.at.Seq)
	zombie.recent = recent{}
	if _, err := zombie.Commit(t.Context(), zombie.at, page(zombie, 1, sinktest.Events(1, 4))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the fence of a deleted position's predecessor let a commit through: %v", err)
	}
	at, err := zombie.Sync(t.Context())
	st.OK(err)
	if at.Why != pipeline.WhyCopy || at.DedupeFrom == 0 {
		t.Fatalf("events above the newest position, and sync made %+v", at)
	}
	st.commit(zombie, page(zombie, 1, sinktest.Events(1, 6)))
	st.wantEvents(1, 6)
}

// TestOvertakesNoneOfOurs: a position was deleted, and its events are above what a stale
// sink knows. They are ours: they must be compared, not passed over.
func TestOvertakesNoneOfOurs(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	zombie, s := st.synced(), st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	st.Delete(s.at.Seq)
	st.Write(jets.SubjectEvents(sinktest.Kind.Name, "prod"), `{"uuid":"somebody else's"}`)
	if _, err := zombie.Commit(t.Context(), zombie.at, page(zombie, 2, sinktest.Events(3, 4))); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("got %v", err)
	}
}

func TestForeignEventAbove(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	foreign := sinktest.Event(3)
	st.Write(jets.SubjectEvents(sinktest.Kind.Name, "prod"), string(foreign.Data)) // no ce-id either
	if _, err := s.Commit(t.Context(), s.at, page(s, 2, sinktest.Events(3, 4))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a commit over a foreign event gave %v", err)
	}
	at, err := s.Sync(t.Context())
	st.OK(err)
	st.commit(s, page(s, 2, sinktest.Events(3, 4)))
	if !s.recent.has(idOf(foreign.UUID)) || at.Why != pipeline.WhyCopy {
		t.Fatalf("foreign event not compared with: %+v", at)
	}
	if r := st.commit(s, page(s, 3, sinktest.Events(3, 5))); r.Stored != 1 {
		t.Fatalf("after a foreign event: %+v", r)
	}
}

func TestPositionsPurged(t *testing.T) {
	for _, all := range []bool{false, true} {
		st := newFixture(t, jetstest.Config{})
		zombie := st.synced()
		s := st.synced()
		st.commit(s, page(s, 1, sinktest.Events(1, 4)))
		st.commit(s, page(s, 2, sinktest.Events(5, 8)))
		st.OK(s.settle(t.Context()))
		st.Purge(jets.SubjectPosition(sinktest.Kind.Name, "prod"))
		if all {
			st.Purge(jets.SubjectEvents(sinktest.Kind.Name, "prod"))
		}
		zombie.recent = recent{}
		if _, err := zombie.Commit(t.Context(), zombie.at, page(zombie, 1, sinktest.Events(1, 4))); !errors.Is(err, pipeline.ErrFenced) {
			t.Fatalf("a zombie committed after a purge: %v", err)
		}
		again := st.synced()
		if again.at.Link != sinktest.Link(2) || again.at.Why != pipeline.WhyRestore || again.at.DedupeFrom == 0 {
			t.Fatalf("after a purge sync made %+v", again.at)
		}
		if _, err := s.Commit(t.Context(), s.at, page(s, 3, sinktest.Events(9, 9))); !errors.Is(err, pipeline.ErrFenced) {
			t.Fatalf("a poller slept through the purge and committed: %v", err)
		}
		st.commit(again, short(again, 3, sinktest.Events(9, 12)))
		if all {
			st.wantEvents(9, 12)
		} else {
			st.wantEvents(1, 12)
		}
		if again.at.DedupeFrom != 0 {
			t.Fatalf("dedupe_from outlived the short page: %+v", again.at)
		}
	}
}

// TestCursorTrailsPurge: CURSORS is a page behind when positions are purged: that page is
// requested again and its events are compared.
func TestCursorTrailsPurge(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.OK(s.settle(t.Context()))
	behind := st.cursor()
	st.commit(s, page(s, 2, sinktest.Events(5, 8)))
	st.OK(s.settle(t.Context()))
	st.putCursor(*behind)
	st.Purge(jets.SubjectPosition(sinktest.Kind.Name, "prod"))
	s = st.synced()
	if s.at.Link != sinktest.Link(1) {
		t.Fatalf("went on from %+v", s.at)
	}
	st.commit(s, page(s, 2, sinktest.Events(5, 8)))
	// All of them dropped, and read all the same: a published_max that stayed
	// behind would make a later reopening compare with too little.
	if !s.at.PublishedMax.Equal(sinktest.Event(8).Published) {
		t.Fatalf("published_max is %v after a page of repeats", s.at.PublishedMax)
	}
	st.commit(s, short(s, 3, sinktest.Events(9, 9)))
	st.wantEvents(1, 9)
}

// TestCursorTrailsAmongOthers: the same after others have written so much that only
// dedupe_from reaches back to the repeated page.
func TestCursorTrailsAmongOthers(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.OK(s.settle(t.Context()))
	behind := st.cursor()
	st.commit(s, page(s, 2, sinktest.Events(5, 8)))
	st.OK(s.settle(t.Context()))
	others := make([]*nats.Msg, jets.MaxBatch)
	for range blindReach/jets.MaxBatch + 1 {
		for i := range others {
			others[i] = &nats.Msg{Subject: jets.SubjectPosition(sinktest.Kind.Name, "other"), Header: nats.Header{}, Data: []byte("{}")}
		}
		_, err := st.Store.Publisher.Publish(t.Context(), others)
		st.OK(err)
	}
	st.putCursor(*behind)
	st.Purge(jets.SubjectPosition(sinktest.Kind.Name, "prod"))
	s = st.synced()
	if r := st.commit(s, page(s, 2, sinktest.Events(5, 8))); r.Stored != 0 || r.Repeats != 4 {
		t.Fatalf("a page that came again: %+v", r)
	}
}

// backUp copies the server's store.
func (st *fixture) backUp() string {
	st.Helper()
	st.Server.Stop()
	defer st.Open()
	defer st.Server.Start(st.T)
	return st.Server.Copy(st.T)
}

// rollBack puts an older copy of the store back.
func (st *fixture) rollBack(backup string) {
	st.Helper()
	st.Server.Stop()
	st.Server.Restore(st.T, backup)
	st.Server.Start(st.T)
	st.Open()
}

func (st *fixture) putCursor(c Cursor) {
	st.Helper()
	data, err := json.Marshal(c)
	st.OK(err)
	st.Write(jets.BucketSubject(jets.BucketCursors, jets.Key(sinktest.Kind.Name, "prod")), string(data))
}

// TestCursorIsOnlyACopy: whatever CURSORS says, the stream is right.
func TestCursorIsOnlyACopy(t *testing.T) {
	for name, spoil := range map[string]func(*fixture, Cursor){
		"deleted": func(st *fixture, _ Cursor) {
			kv, err := st.Store.Conn.JS.KeyValue(st.Context(), jets.BucketCursors)
			st.OK(err)
			st.OK(kv.Delete(st.Context(), jets.Key(sinktest.Kind.Name, "prod")))
		},
		"purged": func(st *fixture, _ Cursor) {
			kv, err := st.Store.Conn.JS.KeyValue(st.Context(), jets.BucketCursors)
			st.OK(err)
			st.OK(kv.Purge(st.Context(), jets.Key(sinktest.Kind.Name, "prod")))
		},
		"bucket deleted": func(st *fixture, _ Cursor) { st.OK(st.Store.Conn.JS.DeleteKeyValue(st.Context(), jets.BucketCursors)) },
		"behind": func(st *fixture, c Cursor) {
			c.Next, c.StreamSeq = sinktest.Link(0), c.StreamSeq-5
			st.putCursor(c)
		},
		"ahead": func(st *fixture, c Cursor) {
			c.Next, c.StreamSeq = sinktest.Link(99), c.StreamSeq+5
			c.CompleteThrough = time.Now().Add(time.Hour)
			st.putCursor(c)
		},
		"nonsense": func(st *fixture, _ Cursor) {
			st.Write(jets.BucketSubject(jets.BucketCursors, jets.Key(sinktest.Kind.Name, "prod")), "{")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newFixture(t, jetstest.Config{})
			s := st.synced()
			st.commit(s, page(s, 1, sinktest.Events(1, 4)))
			st.OK(s.settle(t.Context()))
			want := s.at
			spoil(st, *st.cursor())
			again := st.synced()
			if again.at.Link != want.Link || again.at.Seq != want.Seq || !again.at.CompleteThrough.Equal(want.CompleteThrough) {
				t.Fatalf("sync went on from %+v", again.at)
			}
			if c := st.cursor(); c.StreamSeq != want.Seq || c.Next != want.Link {
				t.Fatalf("cursor not healed: %+v", c)
			}
			st.commit(s, page(s, 2, sinktest.Events(5, 6))) // the one at work is not disturbed
			st.commit(s, page(s, 3, sinktest.Events(7, 8)))
			st.OK(s.settle(t.Context()))
			st.wantEvents(1, 8)
		})
	}
}

// TestStreamMadeAnew: the stream is deleted and created again by the program: the new one
// begins beyond every old fence, and the cursor says where to continue.
func TestStreamMadeAnew(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	zombie := st.synced()
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.OK(s.settle(t.Context()))
	st.OK(st.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamSignals))
	if _, err := s.Commit(t.Context(), s.at, page(s, 2, sinktest.Events(5, 6))); err == nil {
		t.Fatal("a commit into no stream succeeded")
	}
	at, err := s.Sync(t.Context())
	st.OK(err)
	if at.Link != sinktest.Link(1) || at.Seq <= zombie.at.Seq+1_000_000 {
		t.Fatalf("in the new stream: %+v", at)
	}
	if _, err := zombie.Commit(t.Context(), zombie.at, page(zombie, 1, sinktest.Events(1, 4))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a zombie of the old stream got %v", err)
	}
	st.commit(s, short(s, 2, sinktest.Events(5, 6)))
	st.wantEvents(5, 6)
}

// TestRolledBack: the server comes back with an older copy of its store.
func TestRolledBack(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.OK(s.settle(t.Context()))
	backup := st.backUp()
	s = st.synced()
	st.commit(s, page(s, 2, sinktest.Events(5, 8)))
	st.commit(s, page(s, 3, sinktest.Events(9, 9)))
	st.OK(s.settle(t.Context()))
	ahead := st.cursor()
	zombie := s
	st.rollBack(backup)
	st.putCursor(*ahead) // CURSORS alone was spared
	lost := 0
	again := New(st.Store, "prod", query(), &pipeline.Trace{Lost: func(string) { lost++ }}, nil)
	_, err := again.Sync(t.Context())
	st.OK(err)
	if again.at.Link != sinktest.Link(1) || lost != 1 {
		t.Fatalf("after the rollback, %d losses told: %+v", lost, again.at)
	}
	zombie.store = st.Store
	if _, err := zombie.Commit(t.Context(), zombie.at, page(zombie, 4, sinktest.Events(10, 10))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a zombie from before the rollback got %v", err)
	}
	st.commit(again, page(again, 2, sinktest.Events(5, 8)))
	st.wantEvents(1, 8)
}

// TestRolledBackToTheSameSequences: the server comes back with an older copy, another
// poller stores anew what was lost, and its position gets the sequence of ours: both our
// fences would fit a foreign history.
func TestRolledBackToTheSameSequences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{})
		s := st.synced()
		st.commit(s, page(s, 1, sinktest.Events(1, 4)))
		backup := st.backUp()
		zombie := st.synced()
		st.commit(zombie, page(zombie, 2, sinktest.Events(5, 8)))
		st.rollBack(backup)
		other := st.synced()
		st.commit(other, page(other, 22, sinktest.Events(5, 6)))
		st.commit(other, page(other, 23, sinktest.Events(7, 7)))
		if other.at.Seq != zombie.at.Seq || other.lastEvent != zombie.lastEvent {
			t.Fatalf("positions %d and %d, events %d and %d: the history is not the one meant",
				other.at.Seq, zombie.at.Seq, other.lastEvent, zombie.lastEvent)
		}
		time.Sleep(time.Minute) // the zombie is connected again by then
		if _, err := zombie.Commit(t.Context(), zombie.at, page(zombie, 3, sinktest.Events(9, 9))); !errors.Is(err, jets.ErrDisconnected) {
			t.Fatalf("a zombie of the lost history got %v", err)
		}
		st.commit(other, page(other, 3, sinktest.Events(8, 9)))
		st.wantEvents(1, 9)
	})
}

// TestIdsThroughTheFenceOnly: another writer stores events while the recent ids
// are loaded, and what it wrote is deleted again, so that the fences read
// before still fit. Ids from beyond the fence would drop the events for good.
func TestIdsThroughTheFenceOnly(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	slow, other := st.synced(), st.synced()
	st.commit(other, page(other, 2, sinktest.Events(3, 4)))
	st.OK(slow.load(t.Context())) // what it loads last
	for seq := other.at.Seq; seq > s.at.Seq; seq-- {
		st.Delete(seq)
	}
	st.commit(slow, page(slow, 2, sinktest.Events(3, 4)))
	st.wantEvents(1, 4)
}

// TestStreamLostThePosition: a rollback to before the first position, so that only
// CURSORS remembers it, and its place in the stream is taken or still empty.
func TestStreamLostThePosition(t *testing.T) {
	for _, refilled := range []bool{false, true} {
		st := newFixture(t, jetstest.Config{})
		backup := st.backUp()
		s := st.synced()
		st.commit(s, page(s, 1, sinktest.Events(1, 4)))
		st.OK(s.settle(t.Context()))
		ahead := st.cursor()
		st.rollBack(backup)
		ahead.CompleteThrough = time.Now()
		st.putCursor(*ahead)
		for range 10 {
			if refilled {
				st.Write("signals.okta.another", "{}")
			}
		}
		lost := 0
		s = New(st.Store, "prod", query(), &pipeline.Trace{Lost: func(string) { lost++ }}, nil)
		_, err := s.Sync(t.Context())
		st.OK(err)
		if lost != 1 || s.at.Why != pipeline.WhyStart || !s.at.CompleteThrough.Before(ahead.CompleteThrough) {
			t.Fatalf("refilled %v: %d losses told, %+v", refilled, lost, s.at)
		}
	}
}

// TestReopenComparesAll: a query that is reopened during a long drain serves stored
// events again; crashes at any time change nothing. The events were persisted up to 50
// minutes after they were published, some on either side of the new since.
func TestReopenComparesAll(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	for i := range 30 {
		st.commit(s, page(s, i+1, sinktest.Events(10*i+1, 10*i+10))) // one event a minute
	}
	_, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	since := sinktest.Event(300).Published.Add(-time.Hour)
	if !strings.Contains(string(s.at.Link), since.Format("T15:04")) || s.at.Why != pipeline.WhyReopen {
		t.Fatalf("reopened with %q (%s), want since %v", s.at.Link, s.at.Why, since)
	}
	// Persisted at since or later, and published up to 50 minutes before.
	again := sinktest.Events(190, 320)
	for i := 0; i < len(again); i += 20 {
		p := page(s, 100+i, again[i:min(i+20, len(again))])
		if s.at.DedupeFrom == 0 {
			t.Fatalf("dedupe_from gone before a short page: %+v", s.at)
		}
		st.commit(s, p)
		s = st.synced() // a crash after every page
	}
	st.commit(s, short(s, 500, sinktest.Events(318, 322)))
	if s.at.DedupeFrom == 0 {
		t.Fatalf("dedupe_from gone while known events are still served: %+v", s.at)
	}
	p := short(s, 0, nil)
	p.Next = p.Link
	st.commit(s, p)
	if s.at.DedupeFrom != 0 || s.at.Link != sinktest.Link(500) {
		t.Fatalf("dedupe_from stays: %+v", s.at)
	}
	st.wantEvents(1, 322)
}

// TestStartOverWhatIsKept: positions and CURSORS are gone, events are kept. After the
// fresh start has passed them, a new process still knows the newest of them: an org may
// begin a page with the last events of the page before.
func TestStartOverWhatIsKept(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 5)))
	st.commit(s, short(s, 2, sinktest.Events(6, 8)))
	st.OK(s.settle(t.Context()))
	st.Purge(jets.SubjectPosition(sinktest.Kind.Name, "prod"))
	st.OK(st.Store.Conn.JS.DeleteKeyValue(t.Context(), jets.BucketCursors))
	st.OK(st.Store.Ensure(t.Context()))

	s = st.synced()
	if s.at.Why != pipeline.WhyStart || s.at.DedupeFrom == 0 {
		t.Fatalf("sync made %+v", s.at)
	}
	st.commit(s, page(s, 1, sinktest.Events(1, 8)))
	st.commit(s, short(s, 2, nil))
	if s.at.DedupeFrom != 0 {
		t.Fatalf("dedupe_from stays: %+v", s.at)
	}
	s = st.synced()
	st.commit(s, short(s, 3, sinktest.Events(8, 9)))
	st.wantEvents(1, 9)
}

// A sync leaves no consumer behind: a server has room for 1,000 of them a stream.
func TestSyncLeavesNoConsumer(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 5)))
	for range 3 {
		st.synced()
	}
	stream, err := st.Store.Conn.JS.Stream(t.Context(), jets.StreamSignals)
	st.OK(err)
	if n := stream.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("%d consumers are left after four syncs", n)
	}
}

// TestRepeatAfterAMakeUp: a reopening serves stored events again, and some late ones.
// After it, a new process still knows the newest page that the org served, though that
// was stored before the reopening.
func TestRepeatAfterAMakeUp(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	st.commit(s, page(s, 2, sinktest.Events(5, 6)))
	_, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	st.commit(s, page(s, 11, sinktest.Events(1, 3)))
	st.commit(s, page(s, 12, sinktest.Events(3, 4)))
	st.commit(s, short(s, 13, sinktest.Events(5, 6)))
	st.commit(s, short(s, 14, nil))
	if s.at.DedupeFrom != 0 {
		t.Fatalf("dedupe_from stays: %+v", s.at)
	}
	s = st.synced()
	st.commit(s, short(s, 15, sinktest.Events(6, 7))) // begins with what the page before ended with
	st.wantOnce(1, 7)
}

// TestReopenTwice: the second refusal comes before the comparison of the first has ended.
func TestReopenTwice(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	for i := range 5 {
		st.commit(s, page(s, i+1, sinktest.Events(60*i+1, 60*i+60)))
	}
	_, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	first := s.at.DedupeFrom
	st.commit(s, page(s, 100, sinktest.Events(230, 310)))
	_, err = s.Reopen(t.Context(), s.at)
	st.OK(err)
	if s.at.DedupeFrom > first || s.at.DedupeFrom == 0 {
		t.Fatalf("dedupe_from moved from %d to %d", first, s.at.DedupeFrom)
	}
	st.commit(s, page(s, 101, sinktest.Events(230, 320)))
	st.commit(s, short(s, 102, sinktest.Events(320, 325)))
	st.wantEvents(1, 325)
}

// TestReopenBeforeAnyEvent: nothing was read yet, so since is the start's.
func TestReopenBeforeAnyEvent(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	started := s.at.PublishedMax
	st.commit(s, short(s, 1, nil))
	s.query.Since.Age = time.Minute // now would be too late
	_, err := s.Reopen(t.Context(), s.at)
	st.OK(err)
	if want := started.Add(-time.Hour).Format("2006-01-02T15:04"); !strings.Contains(string(s.at.Link), want) {
		t.Fatalf("reopened with %q, want since %s", s.at.Link, want)
	}
}

func TestQueryChangeReopens(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 100)))
	q := query()
	q.Hash = "q2"
	s = New(st.Store, "prod", q, nil, nil)
	at, err := s.Sync(t.Context())
	st.OK(err)
	if at.Why != pipeline.WhyReopen || at.Query != "q2" || at.DedupeFrom == 0 {
		t.Fatalf("after a changed query: %+v", at)
	}
	st.commit(s, short(s, 2, sinktest.Events(40, 120)))
	st.wantEvents(1, 120)
}

func TestOriginChangeStartsAfresh(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	for i := range 5 { // more than the recent ids would reach back
		st.commit(s, page(s, i+1, sinktest.Events(2*i+1, 2*i+2)))
	}
	q := query()
	q.Origin = "https://login.example.com" // the same org under its own domain
	s = New(st.Store, "prod", q, nil, nil)
	at, err := s.Sync(t.Context())
	st.OK(err)
	if at.Why != pipeline.WhyStart || at.Origin != q.Origin {
		t.Fatalf("after a changed origin: %+v", at)
	}
	st.commit(s, short(s, 2, sinktest.Events(1, 12)))
	st.wantEvents(1, 12)
}

func TestNewerVersionIsDeclined(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	newer := s.at
	newer.Version = pipeline.PositionVersion + 1
	data, err := json.Marshal(newer)
	st.OK(err)
	st.Write(jets.SubjectPosition(sinktest.Kind.Name, "prod"), string(data))
	if _, err := st.sink().Sync(t.Context()); !errors.Is(err, pipeline.ErrNewer) {
		t.Fatalf("a newer position gave %v", err)
	}
}

// TestUnreadablePosition: sync goes back to the newest position that can be read; the
// fence is the subject's last sequence all the same, chain or no chain.
func TestUnreadablePosition(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	st.commit(s, page(s, 2, sinktest.Events(3, 4)))
	st.Write(jets.SubjectPosition(sinktest.Kind.Name, "prod"), "no position")
	garbage := st.Write(jets.SubjectPosition(sinktest.Kind.Name, "prod"), `{"version":1}`)
	s = st.synced()
	if s.at.Link != sinktest.Link(2) || s.at.Seq != garbage {
		t.Fatalf("went on from %+v", s.at)
	}
	st.commit(s, page(s, 3, sinktest.Events(3, 6)))
	st.wantEvents(1, 6)
}

func TestExtraMembersAreCarried(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	s.at.Extra = map[string]json.RawMessage{"note": json.RawMessage(`"kept"`)}
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	s = st.synced()
	st.commit(s, page(s, 2, sinktest.Events(3, 4)))
	if got := string(st.synced().at.Extra["note"]); got != `"kept"` {
		t.Fatalf("extra member is %q", got)
	}
}

func TestEventsPurged(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.Purge(jets.SubjectEvents(sinktest.Kind.Name, "prod"))
	if _, err := s.Commit(t.Context(), s.at, page(s, 2, sinktest.Events(5, 6))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("a commit after a purge of events gave %v", err)
	}
	_, err := s.Sync(t.Context())
	st.OK(err)
	st.commit(s, page(s, 2, sinktest.Events(5, 6)))
	st.wantEvents(5, 6)
}

// TestStreamPurged: only the stream's next sequence and the cursor are left.
func TestStreamPurged(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	zombie := st.synced()
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	st.OK(s.settle(t.Context()))
	st.Purge(">")
	for _, asleep := range []*Sink{zombie, s} {
		if _, err := asleep.Commit(t.Context(), asleep.at, page(asleep, 1, sinktest.Events(1, 6))); !errors.Is(err, pipeline.ErrFenced) {
			t.Fatalf("a poller that slept through the purge got %v", err)
		}
	}
	_, err := s.Sync(t.Context())
	st.OK(err)
	if s.at.Link != sinktest.Link(1) {
		t.Fatalf("went on from %+v", s.at)
	}
	st.commit(s, short(s, 2, sinktest.Events(5, 6)))
	st.wantEvents(5, 6)
}

// TestBrokenChain: positions deleted in between do not hide the older ones.
func TestBrokenChain(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	var seqs []uint64
	for i := range 6 {
		st.commit(s, page(s, i+1, sinktest.Events(3*i+1, 3*i+3)))
		seqs = append(seqs, s.at.Seq)
	}
	st.Delete(seqs[4])
	st.Delete(seqs[2])
	s = st.synced()
	var got []uint64
	for e, err := range s.history(t.Context(), s.at.Seq) {
		st.OK(err)
		got = append(got, e.seq)
	}
	want := []uint64{seqs[5], seqs[3], seqs[1], seqs[0], seqs[0] - 4}
	if !slices.Equal(got, want) {
		t.Fatalf("history %v, want %v", got, want)
	}
}

// TestWithoutAllowAtomic: a foreign client created the stream, or changed it since.
func TestWithoutAllowAtomic(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	stream, err := st.Store.Conn.JS.Stream(t.Context(), jets.StreamSignals)
	st.OK(err)
	config := stream.CachedInfo().Config
	config.AllowAtomicPublish = false
	_, err = st.Store.Conn.JS.UpdateStream(t.Context(), config)
	st.OK(err)
	if _, err := s.Commit(t.Context(), s.at, page(s, 1, sinktest.Events(1, 2))); err == nil {
		t.Fatal("a batch was taken without allow_atomic")
	}
	_, err = s.Sync(t.Context())
	st.OK(err)
	st.commit(s, page(s, 1, sinktest.Events(1, 2)))
	st.wantEvents(1, 2)
}

// TestMessageSizeChanged: an operator lowered max_msg_size while the service ran. A
// larger event is a dead letter after one refusal and blocks nothing. A raised limit
// takes effect with the next such event.
func TestMessageSizeChanged(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.LimitSignals(64 << 10)
	p := page(s, 1, []pipeline.Event{sinktest.Large(1), sinktest.Event(2), sinktest.Event(3)})
	if _, err := s.Commit(t.Context(), s.at, p); err == nil {
		t.Fatal("a message above max_msg_size was taken")
	}
	_, err := s.Sync(t.Context())
	st.OK(err)
	if r := st.commit(s, p); r.Stored != 2 || r.DeadLetters != 1 {
		t.Errorf("receipt %+v, want 2 stored and 1 dead letter", r)
	}
	st.wantEvents(2, 3)
	st.LimitSignals(-1)
	if r := st.commit(s, page(s, 2, []pipeline.Event{sinktest.Large(4)})); r.Stored != 1 {
		t.Errorf("receipt %+v, want the event stored", r)
	}
}

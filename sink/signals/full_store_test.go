package signals

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// TestStoreFullInMidCommit: a server whose store fills up in the middle of a commit
// (nats-server 2.15.2, read and seen 2026-11-22) breaks its batch in two: the events
// that still had room are kept, without their position, and no ack comes. A
// sync finds them above the newest position and compares; whenever room is
// made, every event is there once.
func TestStoreFullInMidCommit(t *testing.T) {
	const limit = 8 << 20
	for name, restart := range map[string]bool{"goes on": false, "restarts": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Cleanup(func() { time.Sleep(time.Second) }) // after the server's end: a loop of its file store's ends a little later
				st := newFixture(t, jetstest.Config{MaxStore: limit})
				s := st.synced()
				st.commit(s, page(s, 1, sinktest.Events(1, 100)))
				at := s.at
				makeRoom := st.Ballast(limit, 100<<10)
				list := page(s, 2, sinktest.Events(101, 1000)) // 250 kB
				if _, err := s.Commit(t.Context(), s.at, list); err == nil || errors.Is(err, pipeline.ErrFenced) {
					t.Fatalf("a commit into a store that is full gave %v", err)
				}
				kept, positions := st.stored()
				if len(kept) <= 100 || len(kept) >= 1000 || positions[len(positions)-1].Seq != at.Seq {
					t.Fatalf("%d events are kept, after them position %d", len(kept), positions[len(positions)-1].Seq)
				}
				if _, err := s.Sync(t.Context()); err == nil {
					t.Error("a sync found room for a position")
				}
				makeRoom()
				if restart {
					st.Open()
					s = st.sink()
				}
				now, err := s.Sync(t.Context())
				if err != nil || now.Link != at.Link || now.DedupeFrom == 0 {
					t.Fatalf("with room again at %+v, %v", now, err)
				}
				list.Link = now.Link
				if r := st.commit(s, list); r.Repeats != len(kept)-100 || r.Stored != 1000-len(kept) {
					t.Errorf("receipt %+v, %d had been kept", r, len(kept))
				}
				st.wantEvents(1, 1000)
			})
		})
	}
}

// TestFullStoreIsSaid: the error that an operator reads names the cause.
func TestFullStoreIsSaid(t *testing.T) {
	const limit = 8 << 20
	st := newFixture(t, jetstest.Config{MaxStore: limit})
	s := st.synced()
	st.Ballast(limit, 0)
	_, err := s.Commit(t.Context(), s.at, page(s, 1, sinktest.Events(1, 10)))
	if err == nil || !strings.Contains(err.Error(), "insufficient resources") {
		t.Errorf("a commit into a full store gave %v", err)
	}
}

// TestNoRoom: while the store is known to be full nothing is stored, neither of a page
// nor of the past nor at a sync, after which the org would be asked for events that can't
// be stored.
func TestNoRoom(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	full := errors.New("full")
	var room error
	store, err := jets.Open(t.Context(), st.Store.Conn, jets.Config{Kinds: sinktest.Kinds, Room: func() error { return room }})
	st.OK(err)
	st.Store = store
	s := st.synced()
	st.commit(s, short(s, 1, sinktest.Events(1, 3)))
	room = full
	if _, err := s.Commit(t.Context(), s.at, page(s, 2, append(sinktest.Events(4, 6), pipeline.Event{Data: []byte(`7`), Flaw: pipeline.FlawNotObject}))); !errors.Is(err, full) {
		t.Errorf("a page: %v", err)
	}
	if _, err := s.Insert(t.Context(), s.at, pipeline.Past{Events: sinktest.Events(8, 9), Why: pipeline.WhyBackfill, From: sinktest.Epoch, Until: sinktest.Epoch.Add(time.Hour)}); !errors.Is(err, full) {
		t.Errorf("events of the past: %v", err)
	}
	if _, err := st.sink().Sync(t.Context()); !errors.Is(err, full) {
		t.Errorf("a sync: %v", err)
	}
	st.wantEvents(1, 3)
	for range st.Messages(jets.StreamDeadLetter) {
		t.Error("a dead letter is stored")
	}
	room = nil
	s = st.synced()
	st.commit(s, page(s, 2, sinktest.Events(4, 6)))
	st.wantEvents(1, 6)
}

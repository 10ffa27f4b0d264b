package jets

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// ballast fills the server's store but for so many bytes. What it returns makes
// room again.
func (st *stand) ballast(limit, leave uint64) (makeRoom func()) {
	st.Helper()
	js := st.store.Conn.JS
	_, err := js.CreateStream(st.Context(), jetstream.StreamConfig{Name: "BALLAST", Subjects: []string{"ballast"}})
	st.ok(err)
	used := func() uint64 {
		info, err := js.AccountInfo(st.Context())
		st.ok(err)
		return info.Store
	}
	for used()+leave < limit {
		_, err := js.Publish(st.Context(), "ballast", make([]byte, 16<<10))
		st.ok(err)
	}
	return func() { st.ok(js.DeleteStream(st.Context(), "BALLAST")) }
}

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
				st := newStand(t, jetstest.Config{MaxStore: limit})
				s := st.synced()
				st.commit(s, page(s, 1, events(1, 100)))
				at := s.at
				makeRoom := st.ballast(limit, 100<<10)
				list := page(s, 2, events(101, 1000)) // 250 kB
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
					st.open()
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

// TestFullStoreIsSaid: what an operator reads of it names the cause.
func TestFullStoreIsSaid(t *testing.T) {
	const limit = 8 << 20
	st := newStand(t, jetstest.Config{MaxStore: limit})
	s := st.synced()
	st.ballast(limit, 0)
	_, err := s.Commit(t.Context(), s.at, page(s, 1, events(1, 10)))
	if err == nil || !strings.Contains(err.Error(), "insufficient resources") {
		t.Errorf("a commit into a full store gave %v", err)
	}
}

// TestSessionInAFullStore: a process that starts again where nothing can be stored tries
// to take its former session over again and again, and tells it once, when it has.
func TestSessionInAFullStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // after the server's end: a loop of its file store's ends a little later
		const limit = 8 << 20
		st := newStand(t, jetstest.Config{MaxStore: limit})
		one := run(t, st.server, newRecord(t), "one", LocksConfig{}, "prod")
		time.Sleep(5 * time.Second)
		one.kill()
		makeRoom := st.ballast(limit, 0)

		var told lockedBuffer
		log := slog.New(slog.NewTextHandler(&told, nil))
		locks, err := NewLocks(st.store, LocksConfig{Replica: "one", Log: log})
		st.ok(err)
		ctx, end := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = locks.Run(ctx) })
		time.Sleep(time.Minute)
		if n := told.count("earlier process"); n != 0 {
			t.Errorf("told %d times of what had not happened", n)
		}
		makeRoom()
		time.Sleep(time.Minute)
		if !locks.Live() || told.count("earlier process") > 1 {
			t.Errorf("live: %v; told:\n%s", locks.Live(), told.String())
		}
		end()
		wg.Wait()
	})
}

// TestNoRoom: while there is said to be no room, nothing is stored, of a page, of the past,
// or at a sync, which would let the org be asked for what can't be stored.
func TestNoRoom(t *testing.T) {
	st := newStand(t, jetstest.Config{})
	full := errors.New("full")
	var room error
	store, err := Open(t.Context(), st.store.Conn, Config{Room: func() error { return room }})
	st.ok(err)
	st.store = store
	s := st.synced()
	st.commit(s, short(s, 1, events(1, 3)))
	room = full
	if _, err := s.Commit(t.Context(), s.at, page(s, 2, append(events(4, 6), pipeline.Event{Data: []byte(`7`), Flaw: pipeline.FlawNotObject}))); !errors.Is(err, full) {
		t.Errorf("a page: %v", err)
	}
	if _, err := s.Insert(t.Context(), s.at, pipeline.Past{Events: events(8, 9), Why: pipeline.WhyBackfill, From: epoch, Until: epoch.Add(time.Hour)}); !errors.Is(err, full) {
		t.Errorf("events of the past: %v", err)
	}
	if _, err := st.sink().Sync(t.Context()); !errors.Is(err, full) {
		t.Errorf("a sync: %v", err)
	}
	st.wantEvents(1, 3)
	for range st.messages(StreamDeadLetter) {
		t.Error("a dead letter is stored")
	}
	room = nil
	s = st.synced()
	st.commit(s, page(s, 2, events(4, 6)))
	st.wantEvents(1, 6)
}

// lockedBuffer is what a log said.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) count(words string) int { return strings.Count(l.String(), words) }

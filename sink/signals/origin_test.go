package signals

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

const ownDomain = "https://login.example.com"

// under is the query under an origin, where an org of an id answers; empty: nobody
// says which.
func under(origin, id string) Query {
	q := query()
	q.Origin = origin
	q.Org = func(context.Context) (string, error) {
		if id == "" {
			return "", errors.New("not found")
		}
		return id, nil
	}
	return q
}

// syncedAs is synced by another query.
func (st *fixture) syncedAs(q Query) *Sink {
	st.Helper()
	s := New(st.Store, "prod", q, nil, nil)
	_, err := s.Sync(st.Context())
	st.OK(err)
	return s
}

// TestOriginChangeGoesBack: an org is renamed while hours of its log are unread: nothing
// between the last event and since is left out, and not all stored events are compared.
func TestOriginChangeGoesBack(t *testing.T) {
	for _, id := range []string{"00o1", ""} {
		st := newFixture(t, jetstest.Config{})
		s := st.syncedAs(under(sinktest.Origin, id))
		for i := range 6 {
			st.commit(s, short(s, i+1, sinktest.Events(30*i+1, 30*i+30)))
		}
		through := s.at.CompleteThrough
		q := under(ownDomain, id)
		q.Since.Age = time.Hour
		s = st.syncedAs(q)
		if want := sinktest.Event(180).Published.Add(-sinktest.Kind.Lateness); !strings.HasSuffix(string(s.at.Link), want.Format(time.RFC3339)) {
			t.Errorf("org %q: goes on with %q, want since %v", id, s.at.Link, want)
		}
		if s.at.DedupeFrom <= s.stream.First || s.at.Origin != ownDomain || !s.at.CompleteThrough.Equal(through) {
			t.Errorf("org %q: %+v", id, s.at)
		}
		if assumed := s.at.Assumed != ""; assumed != (id == "") {
			t.Errorf("org %q: assumed %q", id, s.at.Assumed)
		}
		st.commit(s, page(s, 11, sinktest.Events(100, 190)))
		s = st.syncedAs(q)
		st.commit(s, short(s, 12, sinktest.Events(190, 200)))
		st.wantEvents(1, 200)
	}
}

// TestMistypedOriginMovesNothing: a query that is never answered writes no position, so
// the corrected one continues where the old one was.
func TestMistypedOriginMovesNothing(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	want := s.at
	if at := st.syncedAs(under("https://acmee.okta.com", "")).at; at.Origin != "https://acmee.okta.com" {
		t.Fatalf("it asks %s", at.Origin)
	}
	q := query()
	q.Hash = "mistyped"
	st.syncedAs(q)
	s = st.synced()
	if s.at.Seq != want.Seq || s.at.Link != want.Link {
		t.Fatalf("went on from %+v, it stood at %+v", s.at, want)
	}
	if c := st.cursor(); c.StreamSeq != want.Seq || c.Next != want.Link {
		t.Errorf("cursor %+v", c)
	}
}

// TestAnotherOrgIsRefused: a name that has events of one org accepts none of another,
// unless the operator confirms it; and then the first org does not come back unnoticed.
func TestAnotherOrgIsRefused(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.syncedAs(under(sinktest.Origin, "00o1"))
	st.commit(s, short(s, 1, sinktest.Events(1, 4)))
	st.commit(s, page(s, 2, sinktest.Events(5, 6)))
	if s.at.Org != "00o1" {
		t.Fatalf("the org's id is not in %+v", s.at)
	}
	q := under("https://acme.oktapreview.com", "00o2")
	refused := func(q Query) {
		t.Helper()
		_, err := New(st.Store, "prod", q, nil, nil).Sync(t.Context())
		if e, ok := errors.AsType[*OriginError](err); !ok || !errors.Is(err, pipeline.ErrConfig) || e.FormerOrg == e.Org {
			t.Fatalf("another org: %v", err)
		}
	}
	refused(q)
	q.Another = true
	s = st.syncedAs(q)
	if s.at.Org != "00o2" || !s.at.CompleteThrough.Equal(s.at.PublishedMax) {
		t.Fatalf("a confirmed org starts at %+v", s.at)
	}
	st.commit(s, short(s, 1, sinktest.Events(7, 8)))
	q.Another = false
	if s = st.syncedAs(q); s.at.Link != sinktest.Link(1) {
		t.Fatalf("went on from %+v", s.at)
	}
	first := under(sinktest.Origin, "00o1")
	refused(first)
	first.Another = true // back again: what was stored of it then is compared
	s = st.syncedAs(first)
	st.commit(s, page(s, 3, sinktest.Events(3, 6)))
	st.commit(s, short(s, 4, sinktest.Events(9, 9)))
	st.wantEvents(1, 9)
}

// TestAssumedOrg: an org that was assumed to be the same, because its id was unknown, is
// asked for its id later, and refused if it is another.
func TestAssumedOrg(t *testing.T) {
	for _, id := range []string{"00o1", "00o2"} {
		st := newFixture(t, jetstest.Config{})
		s := st.syncedAs(under(sinktest.Origin, "00o1"))
		st.commit(s, short(s, 1, sinktest.Events(1, 2)))
		st.commit(s, short(s, 2, sinktest.Events(3, 4)))
		s = st.syncedAs(under(ownDomain, ""))
		st.commit(s, page(s, 2, sinktest.Events(5, 8)))
		if s.at.Assumed == "" || s.at.Org != "00o1" {
			t.Fatalf("%+v", s.at)
		}
		s = st.syncedAs(under(ownDomain, id))
		_, err := s.Commit(t.Context(), s.at, short(s, 3, sinktest.Events(9, 9)))
		if id == "00o1" {
			st.OK(err)
			if s.at.Assumed != "" {
				t.Errorf("still assumed: %+v", s.at)
			}
			continue
		}
		if !errors.Is(err, pipeline.ErrConfig) {
			t.Errorf("the page of another org: %v", err)
		}
		if _, err := s.Sync(t.Context()); !errors.Is(err, pipeline.ErrConfig) {
			t.Errorf("after it, sync: %v", err)
		}
		st.wantEvents(1, 8)
	}
}

// TestStrictOrigin: an instance that can't be confirmed takes another origin only where
// the org is known to be the same.
func TestStrictOrigin(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	q := under(ownDomain, "00o1")
	q.Strict = true
	if _, err := New(st.Store, "prod", q, nil, nil).Sync(t.Context()); !errors.Is(err, pipeline.ErrConfig) {
		t.Fatalf("an org that nobody knows: %v", err)
	}
	s = st.syncedAs(under(sinktest.Origin, "00o1"))
	st.commit(s, short(s, 2, sinktest.Events(5, 6)))
	st.commit(s, short(s, 3, sinktest.Events(7, 7)))
	if s = st.syncedAs(q); s.at.Origin != ownDomain {
		t.Fatalf("%+v", s.at)
	}
}

// TestRewindBehindAnOriginChange: a rewind may go to a position of this origin, or of the
// same org under another one; to one of an unknown org only if it is forced.
func TestRewindBehindAnOriginChange(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	s := st.synced()
	st.commit(s, page(s, 1, sinktest.Events(1, 4)))
	target := s.at
	st.commit(s, page(s, 2, sinktest.Events(5, 8)))
	s = st.syncedAs(under("https://acmee.okta.com", ""))
	st.commit(s, short(s, 3, nil))
	st.commit(s, short(s, 4, nil))
	mistyped := s.at
	o := &Operator{Store: st.Store, Instance: "prod"}
	sure := func(Move) error { return nil }
	if _, err := o.Rewind(t.Context(), Mark{Seq: target.Seq}, false, sure); !errors.Is(err, ErrNoTarget) {
		t.Fatalf("to a position of nobody knows which org: %v", err)
	}
	s = st.synced()
	st.commit(s, page(s, 5, sinktest.Events(9, 10)))
	st.commit(s, short(s, 6, nil))
	if _, err := o.Rewind(t.Context(), Mark{Seq: mistyped.Seq}, false, sure); err != nil {
		t.Fatalf("to what stands before a position of another origin: %v", err)
	}
	s = st.synced()
	if s.at.Link != sinktest.Link(2) || s.at.DedupeFrom == 0 {
		t.Fatalf("stands at %+v", s.at)
	}
	if _, err := o.Rewind(t.Context(), Mark{Seq: mistyped.Seq}, true, sure); err != nil {
		t.Fatalf("by force: %v", err)
	}
	st.OK(s.settle(t.Context()))
	s = st.synced()
	if s.at.Link != sinktest.Link(4) || s.at.Origin != sinktest.Origin {
		t.Fatalf("stands at %+v", s.at)
	}
	st.commit(s, page(s, 7, sinktest.Events(1, 10)))
	st.wantEvents(1, 10)
}

// TestAnotherOrgAnchors: between two periods of one org, the name belonged to another,
// quiet one. The quiet one's published_max says nothing about the events of the first.
func TestAnotherOrgAnchors(t *testing.T) {
	st := newFixture(t, jetstest.Config{})
	first, quiet := under(sinktest.Origin, "00o1"), under("https://acme.oktapreview.com", "00o2")
	first.Another, quiet.Another = true, true
	first.Since.Age, quiet.Since.Age = 11*time.Hour, 48*time.Hour
	s := st.syncedAs(first)
	st.commit(s, short(s, 1, nil))
	for i := range 4 {
		st.commit(s, short(s, i+2, sinktest.Events(10*i+1, 10*i+10)))
	}
	s = st.syncedAs(quiet)
	s.compared = time.Time{} // its make-up ends without having read anything of the first's
	st.commit(s, short(s, 10, nil))
	s = st.syncedAs(first)
	st.commit(s, page(s, 11, sinktest.Events(1, 40)))
	st.commit(s, short(s, 12, sinktest.Events(41, 42)))
	st.wantEvents(1, 42)
}

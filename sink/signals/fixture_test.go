package signals

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// fixture is a fixture with what tests of a sink need.
type fixture struct {
	*sinktest.Fixture
}

func newFixture(t *testing.T, c jetstest.Config) *fixture {
	t.Helper()
	return &fixture{sinktest.New(t, c)}
}

func query() Query {
	return Query{Origin: sinktest.Origin, Hash: "q1", Since: pipeline.Since{Age: 24 * time.Hour},
		Start: func(since time.Time) pipeline.Link {
			return pipeline.Link("/api/v1/logs?since=" + since.UTC().Format(time.RFC3339))
		}}
}

// sink is the sink of a process that has just started.
func (st *fixture) sink() *Sink { return New(st.Store, "prod", query(), nil, nil) }

// synced is a sink after its first sync.
func (st *fixture) synced() *Sink {
	st.Helper()
	s := st.sink()
	_, err := s.Sync(st.Context())
	st.OK(err)
	return s
}

func (st *fixture) commit(s *Sink, p pipeline.Page) pipeline.Receipt {
	st.Helper()
	r, err := s.Commit(st.Context(), s.at, p)
	st.OK(err)
	return r
}

// page is a full page from the sink's link to link(next), with more to follow.
func page(s *Sink, next int, list []pipeline.Event) pipeline.Page {
	p := pipeline.Page{Link: s.at.Link, Next: sinktest.Link(next), Events: list, Full: true, More: true, Date: sinktest.Epoch.Add(24 * time.Hour)}
	if s.query.Org != nil {
		p.Org, _ = s.query.Org(context.Background())
	}
	return p
}

// short is one that is not full, and all that was known before is served with it.
func short(s *Sink, next int, list []pipeline.Event) pipeline.Page {
	p := page(s, next, list)
	p.Full, p.More, p.CaughtUp = false, false, true
	return p
}

// stored reads the whole stream: the uuids of the events, in order, with
// their bytes compared, and the positions.
func (st *fixture) stored() (uuids []string, positions []pipeline.Position) {
	st.Helper()
	for m := range st.Messages(jets.StreamSignals) {
		switch {
		case strings.HasPrefix(m.Subject, "signals."):
			uuid := m.Header.Get("ce-id")
			var n struct{ N int }
			st.OK(json.Unmarshal(m.Data, &n))
			if e := sinktest.Event(n.N); e.UUID != uuid || string(e.Data) != string(m.Data) {
				st.Errorf("event %s is stored as %q", uuid, m.Data)
			}
			uuids = append(uuids, uuid)
		default:
			var p pipeline.Position
			if json.Unmarshal(m.Data, &p) == nil {
				p.Seq = m.Sequence
				positions = append(positions, p)
			}
		}
	}
	return uuids, positions
}

// wantEvents checks that the stream holds exactly the events from first to
// last, each once, in order.
func (st *fixture) wantEvents(first, last int) {
	st.Helper()
	var want []string
	for _, e := range sinktest.Events(first, last) {
		want = append(want, e.UUID)
	}
	if got, _ := st.stored(); !slices.Equal(got, want) {
		st.Fatalf("stored %d events %v\nwant   %d events %v", len(got), got, len(want), want)
	}
}

func (st *fixture) cursor() *Cursor {
	st.Helper()
	m, err := st.Store.Conn.Last(st.Context(), jets.BucketStream(jets.BucketCursors), jets.BucketSubject(jets.BucketCursors, jets.Key(sinktest.Kind.Name, "prod")))
	st.OK(err)
	c := new(Cursor)
	st.OK(json.Unmarshal(m.Data, c))
	return c
}

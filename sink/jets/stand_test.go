package jets

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

const origin = "https://acme.okta.com"

// stand is a store on a real server, with what tests of a sink need.
type stand struct {
	*testing.T
	server *jetstest.Server
	store  *Store
}

func newStand(t *testing.T, c jetstest.Config) *stand {
	t.Helper()
	server := c.Run(t)
	st := &stand{T: t, server: server}
	st.open()
	return st
}

// open connects as a process that starts does.
func (st *stand) open() {
	st.Helper()
	store, err := Open(st.Context(), dial(st.T, st.server), Config{})
	st.ok(err)
	st.store = store
}

func (st *stand) ok(err error) {
	st.Helper()
	if err != nil {
		st.Fatal(err)
	}
}

func query() Query {
	return Query{Origin: origin, Hash: "q1", Since: pipeline.Since{Age: 24 * time.Hour},
		Start: func(since time.Time) pipeline.Link {
			return pipeline.Link("/api/v1/logs?since=" + since.UTC().Format(time.RFC3339))
		}}
}

// sink is the sink of a process that has just started.
func (st *stand) sink() *Sink { return NewSink(st.store, "prod", query(), nil, nil) }

// synced is a sink after its first sync.
func (st *stand) synced() *Sink {
	st.Helper()
	s := st.sink()
	_, err := s.Sync(st.Context())
	st.ok(err)
	return s
}

func (st *stand) commit(s *Sink, p pipeline.Page) pipeline.Receipt {
	st.Helper()
	r, err := s.Commit(st.Context(), s.at, p)
	st.ok(err)
	return r
}

// epoch is when the events of these tests begin: after a fresh start's since, or
// its published_max would be later than theirs.
var epoch = time.Now().UTC().Truncate(time.Hour).Add(-10 * time.Hour)

// event is an event published i minutes after the epoch.
func event(i int) pipeline.Event {
	at := epoch.Add(time.Duration(i) * time.Minute)
	e := pipeline.Event{UUID: fmt.Sprintf("id-%04d", i), Type: "user.session.start", Published: at, Time: at.Format("2006-01-02T15:04:05.000Z")}
	e.Data = fmt.Appendf(nil, `{"uuid":%q,"published":%q, "n":%d}`, e.UUID, e.Time, i)
	return e
}

// events are those from first to last.
func events(first, last int) []pipeline.Event {
	var list []pipeline.Event
	for i := first; i <= last; i++ {
		list = append(list, event(i))
	}
	return list
}

func link(n int) pipeline.Link { return pipeline.Link(fmt.Sprintf("/api/v1/logs?after=%d", n)) }

// page is a full page from the sink's link to link(next), with more to follow.
func page(s *Sink, next int, list []pipeline.Event) pipeline.Page {
	p := pipeline.Page{Link: s.at.Link, Next: link(next), Events: list, Full: true, More: true, Date: epoch.Add(24 * time.Hour)}
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
func (st *stand) stored() (uuids []string, positions []pipeline.Position) {
	st.Helper()
	for m := range st.messages(StreamSignals) {
		switch {
		case strings.HasPrefix(m.Subject, "signals."):
			uuid := m.Header.Get("ce-id")
			var n struct{ N int }
			st.ok(json.Unmarshal(m.Data, &n))
			if e := event(n.N); e.UUID != uuid || string(e.Data) != string(m.Data) {
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

// messages reads all messages of a stream.
func (st *stand) messages(name string) func(func(*jetstream.RawStreamMsg) bool) {
	return func(yield func(*jetstream.RawStreamMsg) bool) {
		st.Helper()
		stream, err := st.store.Conn.JS.Stream(st.Context(), name)
		st.ok(err)
		state := stream.CachedInfo().State
		for seq := state.FirstSeq; seq <= state.LastSeq && state.Msgs > 0; seq++ {
			m, err := stream.GetMsg(st.Context(), seq)
			if err != nil {
				continue // deleted
			}
			if !yield(m) {
				return
			}
		}
	}
}

// wantEvents checks that the stream holds exactly the events from first to
// last, each once, in order.
func (st *stand) wantEvents(first, last int) {
	st.Helper()
	var want []string
	for _, e := range events(first, last) {
		want = append(want, e.UUID)
	}
	if got, _ := st.stored(); !slices.Equal(got, want) {
		st.Fatalf("stored %d events %v\nwant   %d events %v", len(got), got, len(want), want)
	}
}

func (st *stand) cursor() *Cursor {
	st.Helper()
	m, err := st.store.Conn.Last(st.Context(), BucketStream(BucketCursors), BucketSubject(BucketCursors, Key("prod")))
	st.ok(err)
	c := new(Cursor)
	st.ok(json.Unmarshal(m.Data, c))
	return c
}

// delete removes one message of SIGNALS, as an operator might.
func (st *stand) delete(seq uint64) {
	st.Helper()
	stream, err := st.store.Conn.JS.Stream(st.Context(), StreamSignals)
	st.ok(err)
	st.ok(stream.DeleteMsg(st.Context(), seq))
}

func (st *stand) purge(subject string) {
	st.Helper()
	stream, err := st.store.Conn.JS.Stream(st.Context(), StreamSignals)
	st.ok(err)
	st.ok(stream.Purge(st.Context(), jetstream.WithPurgeSubject(subject)))
}

// write publishes as a foreign client.
func (st *stand) write(subject, data string) uint64 {
	st.Helper()
	ack, err := st.store.Conn.JS.PublishMsg(st.Context(), &nats.Msg{Subject: subject, Data: []byte(data)})
	st.ok(err)
	return ack.Sequence
}

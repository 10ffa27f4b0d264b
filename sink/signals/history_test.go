package signals

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// walked writes n positions, each after between(i) other messages, and returns their
// sequences.
func walked(t testing.TB, store *jets.Store, n int, between func(i int) int) []uint64 {
	t.Helper()
	js := store.Conn.JS
	extent, err := store.Conn.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seqs, seq := make([]uint64, n), extent.Last
	var acks []jetstream.PubAckFuture
	publish := func(m *nats.Msg) {
		ack, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		acks, seq = append(acks, ack), seq+1
	}
	prev := uint64(0)
	for i := range n {
		for range between(i) {
			publish(&nats.Msg{Subject: jets.SubjectEvents(sinktest.Kind.Name, "other"), Data: []byte("{}")})
		}
		m, err := positionMessage(jets.SubjectPosition(sinktest.Kind.Name, "prod"), pipeline.Position{
			Version: pipeline.PositionVersion, Link: sinktest.Link(i), Origin: sinktest.Origin, Query: "q1", Why: pipeline.WhyPage,
			PublishedMax: sinktest.Epoch.Add(time.Duration(i) * time.Minute), At: sinktest.Epoch.Add(time.Duration(i) * time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		jets.Expect(m, prev)
		publish(m)
		seqs[i], prev = seq, seq
	}
	<-js.PublishAsyncComplete()
	for _, ack := range acks {
		select {
		case err := <-ack.Err():
			t.Fatal(err)
		default:
		}
	}
	return seqs
}

// TestHistory: going back follows the chain of positions, whatever is between them and
// wherever it is broken.
func TestHistory(t *testing.T) {
	const positions = 100
	st := newFixture(t, jetstest.Config{})
	seqs := walked(t, st.Store, positions, func(int) int { return rand.IntN(4) * rand.IntN(4) })
	for _, broken := range [][]int{{}, {80}, {90, 50, 51, 3}} {
		for _, i := range broken {
			st.Delete(seqs[i])
			seqs = slices.Delete(seqs, i, i+1)
		}
		st.wantHistory(seqs)
		st.wantHistory(seqs[:len(seqs)/2]) // from the middle on
	}
}

// wantHistory walks back through positions.
func (st *fixture) wantHistory(seqs []uint64) {
	st.Helper()
	s := st.sink()
	var err error
	s.stream, err = st.Store.Conn.Extent(st.Context())
	st.OK(err)
	var got []uint64
	for e, err := range s.history(st.Context(), seqs[len(seqs)-1]) {
		st.OK(err)
		st.OK(e.err)
		got = append(got, e.seq)
	}
	slices.Reverse(got)
	if !slices.Equal(got, seqs) {
		st.Errorf("%d positions, want %d: %v, want %v", len(got), len(seqs), got, seqs)
	}
}

// BenchmarkHistory walks back through 1,000 positions, with nine foreign messages before
// each.
func BenchmarkHistory(b *testing.B) {
	const positions = 1_000
	server := jetstest.Config{}.Process(b)
	conn, err := jets.Connect(b.Context(), server.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	store, err := jets.Open(b.Context(), conn, jets.Config{Kinds: sinktest.Kinds})
	if err != nil {
		b.Fatal(err)
	}
	seqs := walked(b, store, positions, func(int) int { return 9 })
	s := New(store, "prod", query(), nil, nil)
	if s.stream, err = store.Conn.Extent(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		for _, err := range s.history(b.Context(), seqs[positions-1]) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != positions {
			b.Fatalf("%d positions", n)
		}
	}
	b.ReportMetric(float64(b.N*positions)/b.Elapsed().Seconds(), "positions/s")
}

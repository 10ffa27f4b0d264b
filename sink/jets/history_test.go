package jets

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// walked writes n positions, each after so many messages of others as between says, and
// returns their sequences.
func walked(t testing.TB, store *Store, n int, between func(i int) int) []uint64 {
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
			publish(&nats.Msg{Subject: SubjectEvents("other"), Data: []byte("{}")})
		}
		m, err := positionMessage(SubjectPosition("prod"), pipeline.Position{
			Version: pipeline.PositionVersion, Link: link(i), Origin: origin, Query: "q1", Why: pipeline.WhyPage,
			PublishedMax: epoch.Add(time.Duration(i) * time.Minute), At: epoch.Add(time.Duration(i) * time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		expect(m, prev)
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

// TestHistoryReadAhead: a long way back is the chain of positions, whatever stands
// between them and wherever it is broken, and costs few reads.
func TestHistoryReadAhead(t *testing.T) {
	spread := map[string]struct {
		positions int
		between   func(i int) int
	}{
		"alone":       {400, func(int) int { return 0 }},
		"rare before": {400, func(i int) int { return max(0, 200-i) / 8 }},
		"dense before, more than are held": {5000, func(i int) int {
			if i > 4960 {
				return 150
			}
			return 0
		}},
		"anyhow": {700, func(int) int { return rand.IntN(4) * rand.IntN(4) }},
	}
	for name, c := range spread {
		t.Run(name, func(t *testing.T) {
			st := newStand(t, jetstest.Config{})
			seqs := walked(t, st.store, c.positions, c.between)
			for _, broken := range [][]int{{}, {c.positions - 100}, {c.positions - 10, c.positions / 2, c.positions/2 + 1, 3}} {
				for _, i := range broken {
					st.delete(seqs[i])
					seqs = slices.Delete(seqs, i, i+1)
				}
				st.wantHistory(seqs, len(seqs))
				st.wantHistory(seqs[:len(seqs)/2], len(seqs)/2) // from the middle on
			}
		})
	}
}

// wantHistory walks back through positions, and counts what the leader is asked for.
func (st *stand) wantHistory(seqs []uint64, n int) {
	st.Helper()
	spy := st.server.Connect(st.T)
	reads, err := spy.SubscribeSync(st.store.Conn.APIPrefix + ".STREAM.MSG.GET." + StreamSignals)
	st.ok(err)
	st.ok(spy.Flush())
	s := st.sink()
	s.stream, err = st.store.Conn.Extent(st.Context())
	st.ok(err)
	var got []uint64
	for e, err := range s.history(st.Context(), seqs[len(seqs)-1]) {
		st.ok(err)
		st.ok(e.err)
		got = append(got, e.seq)
	}
	slices.Reverse(got)
	if !slices.Equal(got, seqs[:n]) {
		st.Errorf("%d positions, want %d: %v, want %v", len(got), n, got, seqs[:n])
	}
	st.ok(spy.Flush()) // all that was asked before is in the queue then
	asked, _, err := reads.Pending()
	st.ok(err)
	st.ok(reads.Unsubscribe())
	if asked == 0 || asked > 100 {
		st.Errorf("%d reads by sequence for %d positions", asked, n)
	}
}

// BenchmarkHistory walks back through 20,000 positions, each with nine messages of others
// before it.
func BenchmarkHistory(b *testing.B) {
	const positions = 20_000
	server := jetstest.Config{}.Process(b)
	conn, err := Connect(b.Context(), server.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	store, err := Open(b.Context(), conn, Config{})
	if err != nil {
		b.Fatal(err)
	}
	seqs := walked(b, store, positions, func(int) int { return 9 })
	s := NewSink(store, "prod", query(), nil, nil)
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

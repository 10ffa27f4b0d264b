package republish

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/sinktest"
)

func makeStream(st *sinktest.Fixture, c jetstream.StreamConfig) {
	st.Helper()
	_, err := st.Store.Conn.JS.CreateStream(st.Context(), c)
	st.OK(err)
}

// Nothing is published that would come back into our own streams.
func TestRepublisherRefuses(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	signals, err := st.Store.Conn.JS.Stream(t.Context(), jets.StreamSignals)
	st.OK(err)
	config := signals.CachedInfo().Config
	config.Subjects = append(config.Subjects, "okta.*.raw")
	config.Sources = []*jetstream.StreamSource{{Name: "FEED"}}
	makeStream(st, jetstream.StreamConfig{Name: "FEED", Subjects: []string{"feed.>"}})
	makeStream(st, jetstream.StreamConfig{Name: "AGAIN", Subjects: []string{"again.>"}})
	makeStream(st, jetstream.StreamConfig{Name: "ECHO", Subjects: []string{"echo.*"}, RePublish: &jetstream.RePublish{Source: "echo.*", Destination: "signals.okta.{{wildcard(1)}}"}})
	_, err = st.Store.Conn.JS.UpdateStream(t.Context(), config)
	st.OK(err)
	for subject, want := range map[string]error{
		"again.acme":                 nil,
		"again.{instance}":           nil,
		"again.{instance}.raw":       nil,
		"signals-replay.acme":        nil,
		"again":                      nil,
		"signals.okta.acme":          ErrOwnSubject,
		"signals.okta.{instance}":    ErrOwnSubject,
		"signals.again":              ErrOwnSubject,
		"signal-cursor.okta.acme":    ErrOwnSubject,
		"deadletter.okta.acme":       ErrOwnSubject,
		"signal-client.wake.acme":    ErrOwnSubject,
		"okta.acme.raw":              ErrOwnSubject, // the operator had SIGNALS take it
		"okta.{instance}.raw":        ErrOwnSubject,
		"feed.acme":                  ErrOwnSubject, // SIGNALS copies from there
		"echo.acme":                  ErrOwnSubject, // which publishes it again
		"again.*":                    ErrSubject,
		"again.>":                    ErrSubject,
		"again..acme":                ErrSubject,
		"again.acme-{instance}":      ErrSubject,
		"":                           ErrSubject,
		"{instance}.again":           ErrSubject,
		"$KV.INTEGRATIONS.okta.acme": ErrSubject,
		"_INBOX.1":                   ErrSubject,
	} {
		_, err := New(t.Context(), st.Store.Conn, Target{Subject: subject, ID: "1"})
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", subject, err, want)
		}
	}
}

// Events come out as they were stored, in order, each acknowledged, while the
// server is killed in between.
func TestRepublishThroughARestart(t *testing.T) {
	st, server := sinktest.NewProcess(t)
	makeStream(st, jetstream.StreamConfig{Name: "AGAIN", Subjects: []string{"again.>"}})
	l := sinktest.Lay(st, 1, 3000, 2, 50)
	var want, done []string
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again.{instance}", ID: "r1", Done: func(e *scan.Stored) { done = append(done, e.ID()) }})
	st.OK(err)
	for e, err := range scan.Events(t.Context(), st.Store.Conn, scan.Range{Kind: sinktest.Kind}) {
		st.OK(err)
		st.OK(r.Publish(t.Context(), e))
		if want = append(want, e.ID()); len(want) == 1000 {
			server.Kill()
			server.Start(t)
		}
	}
	st.OK(r.Flush(t.Context()))
	var got []string
	for m := range st.Messages("AGAIN") {
		got = append(got, m.Header.Get(jets.HeaderID))
		first := l.Msgs[seqOf(st, m.Header)-l.Base]
		if string(first.Data) != string(m.Data) || first.Subject != m.Header.Get(headerSubject) || m.Header.Get(headerReplay) != "r1" || m.Header.Get(jets.HeaderTime) != first.Header.Get(jets.HeaderTime) {
			t.Fatalf("%v", m.Header)
		}
	}
	if !slices.Equal(done, want) {
		t.Errorf("%d events are done, want %d", len(done), len(want))
	}
	slices.Sort(got) // a lost ack may change the order
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
}

// The first event without an ack at the end is where to continue.
func TestRepublishEnded(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	makeStream(st, jetstream.StreamConfig{Name: "AGAIN", Subjects: []string{"again"}})
	l := sinktest.Lay(st, 1, 100, 2, 50)
	done := map[uint64]bool{}
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again", ID: "r1", Done: func(e *scan.Stored) { done[e.Seq] = true }})
	st.OK(err)
	ctx, cancel := context.WithCancel(t.Context())
	for e, err := range scan.Events(t.Context(), st.Store.Conn, scan.Range{Kind: sinktest.Kind}) {
		st.OK(err)
		st.OK(r.Publish(ctx, e))
	}
	cancel()
	if err := r.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	from, held := r.Waiting(), map[uint64]bool{}
	for m := range st.Messages("AGAIN") {
		held[seqOf(st, m.Header)] = true
	}
	for i := range l.Msgs {
		if seq := l.Base + uint64(i); l.IsEvent(i) && !held[seq] && (from == 0 || seq < from) {
			t.Errorf("%d has no ack and is not waiting: that begins at %d", seq, from)
		} else if l.IsEvent(i) && done[seq] != (from == 0 || seq < from) {
			t.Errorf("%d is done: %v, but waiting begins at %d", seq, done[seq], from)
		}
	}
	st.OK(r.Flush(t.Context()))
	if r.Waiting() != 0 {
		t.Errorf("waiting from %d", r.Waiting())
	}
}

// An event is done when all before it are. What is stored after the first one that waits
// is not published again.
func TestRepublishDoneInOrder(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	full := jetstream.StreamConfig{Name: "FULL", Subjects: []string{"again.acme"}, Discard: jetstream.DiscardNew, MaxMsgs: 1}
	makeStream(st, full)
	makeStream(st, jetstream.StreamConfig{Name: "ROOM", Subjects: []string{"again.beta"}, Duplicates: 100 * time.Millisecond})
	var done []uint64
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again.{instance}", ID: "r1", Done: func(e *scan.Stored) { done = append(done, e.Seq) }})
	st.OK(err)
	for i, instance := range []string{"acme", "acme", "beta", "beta"} {
		st.OK(r.Publish(t.Context(), &scan.Stored{Kind: sinktest.Kind, Instance: instance, Seq: uint64(1000 + i), Header: nats.Header{}, Data: []byte("{}")}))
	}
	if err := r.Flush(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("ended with %v", err)
	}
	if !slices.Equal(done, []uint64{1000}) || r.Waiting() != 1001 || r.StoredBeyond() != 2 {
		t.Errorf("%d are done, waiting from %d, %d are stored beyond", done, r.Waiting(), r.StoredBeyond())
	}
	time.Sleep(200 * time.Millisecond) // now ROOM would take the same message again
	full.MaxMsgs = -1
	_, err = st.Store.Conn.JS.UpdateStream(t.Context(), full)
	st.OK(err)
	st.OK(r.Flush(t.Context()))
	if !slices.Equal(done, []uint64{1000, 1001, 1002, 1003}) || r.Waiting() != 0 || r.StoredBeyond() != 0 {
		t.Errorf("%d are done, waiting from %d", done, r.Waiting())
	}
	if got := kept(st, "ROOM"); !slices.Equal(got, []uint64{1002, 1003}) {
		t.Errorf("ROOM holds %d", got)
	}
}

// seqOf reads where an event that was published again stands in SIGNALS.
func seqOf(st *sinktest.Fixture, h nats.Header) uint64 {
	st.Helper()
	seq, err := strconv.ParseUint(h.Get(headerSequence), 10, 64)
	st.OK(err)
	return seq
}

// If no stream takes the subject, what was being sent when the connection dropped is
// published again.
func TestRepublishWithoutAStream(t *testing.T) {
	st, server := sinktest.NewProcess(t)
	heard, err := st.Store.Conn.NATS.SubscribeSync("again.x") // a reconnect subscribes before it lets anything else go
	st.OK(err)
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again.x", ID: "r1"})
	st.OK(err)
	server.Freeze()
	for i := range 100 {
		st.OK(r.Publish(t.Context(), &scan.Stored{Kind: sinktest.Kind, Instance: "x", Seq: uint64(i + 1), Header: nats.Header{}, Data: []byte("{}")}))
	}
	flushed := make(chan error, 1)
	go func() { flushed <- r.Flush(t.Context()) }()
	server.Kill()
	server.Start(t)
	st.OK(<-flushed)
	seen := map[string]bool{}
	for len(seen) < 100 {
		m, err := heard.NextMsg(20 * time.Second)
		st.OK(err)
		seen[m.Header.Get(headerSequence)] = true
	}
	if r.Waiting() != 0 {
		t.Errorf("%d still waits", r.Waiting())
	}
}

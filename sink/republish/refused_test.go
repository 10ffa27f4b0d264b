package republish

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// republish publishes n events of 100 bytes again, but those of other sizes, until
// one is refused.
func republish(st *sinktest.Fixture, r *Republisher, n int, sizes map[int]int) error {
	for i := range n {
		size := 100
		if other, ok := sizes[i]; ok {
			size = other
		}
		e := &scan.Stored{Kind: sinktest.Kind, Instance: "acme", Seq: uint64(1000 + i), Header: nats.Header{}, Data: slices.Repeat([]byte("x"), size)}
		if err := r.Publish(st.Context(), e); err != nil {
			return err
		}
	}
	return r.Flush(st.Context())
}

// kept are the sequences of the events that were published again, as they stand.
func kept(st *sinktest.Fixture, stream string) (seqs []uint64) {
	st.Helper()
	for m := range st.Messages(stream) {
		seqs = append(seqs, seqOf(st, m.Header))
	}
	return seqs
}

// A stream that stays full causes one readable error, and keeps what it accepted.
func TestRepublishIntoAFullStream(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	full := jetstream.StreamConfig{Name: "FULL", Subjects: []string{"again"}, Discard: jetstream.DiscardNew, MaxMsgs: 300}
	makeStream(st, full)
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again", ID: "r1"})
	st.OK(err)
	err = republish(st, r, 400, nil)
	if !errors.Is(err, ErrRefused) || !strings.HasPrefix(err.Error(), "sequence 1300: refused by FULL: maximum messages exceeded") {
		t.Errorf("ended with %v", err)
	}
	if r.Waiting() != 1300 || len(r.waiting) != 100 || r.StoredBeyond() != 0 {
		t.Errorf("%d wait from %d, of which %d are stored; want 100 from 1300", len(r.waiting), r.Waiting(), r.StoredBeyond())
	}
	full.MaxMsgs = -1
	_, err = st.Store.Conn.JS.UpdateStream(t.Context(), full)
	st.OK(err)
	st.OK(r.Flush(t.Context()))
	if got := kept(st, "FULL"); len(got) != 400 || !slices.IsSorted(got) {
		t.Errorf("%d events, sorted %t", len(got), slices.IsSorted(got))
	}
}

// An event that is too large for the stream is refused before anything after it is
// stored.
func TestRepublishWhatIsTooLarge(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	makeStream(st, jetstream.StreamConfig{Name: "SMALL", Subjects: []string{"again"}, MaxMsgSize: 1000})
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again", ID: "r1"})
	st.OK(err)
	err = republish(st, r, 100, map[int]int{50: 2000})
	if !errors.Is(err, ErrRefused) || !strings.HasPrefix(err.Error(), "sequence 1050: refused by SMALL: ") {
		t.Errorf("ended with %v", err)
	}
	if got := kept(st, "SMALL"); len(got) != 50 || r.Waiting() != 1050 {
		t.Errorf("%d events are stored, %d is first to wait", len(got), r.Waiting())
	}
}

// The limit that is checked beforehand is the server's own, to the byte.
func TestRepublishWhatJustFits(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	makeStream(st, jetstream.StreamConfig{Name: "SMALL", Subjects: []string{"again"}, MaxMsgSize: 1000})
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again", ID: "r1"})
	st.OK(err)
	e := &scan.Stored{Kind: sinktest.Kind, Instance: "acme", Seq: 1000, Header: nats.Header{}}
	m := r.message(e)
	e.Data = make([]byte, 1000-(m.Size()-len(m.Subject)))
	st.OK(r.Publish(t.Context(), e))
	st.OK(r.Flush(t.Context()))
	r.most++ // as if an operator had narrowed the stream since
	e.Seq, e.Data = 1001, append(e.Data, ' ')
	st.OK(r.Publish(t.Context(), e))
	if err := r.Flush(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "(10054)") {
		t.Errorf("a byte more ended with %v", err)
	}
}

// A full queue is waited for: its consumers empty it.
func TestRepublishIntoAFullQueue(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	makeStream(st, jetstream.StreamConfig{Name: "QUEUE", Subjects: []string{"again"}, Retention: jetstream.WorkQueuePolicy, Discard: jetstream.DiscardNew, MaxMsgs: 100})
	queue, err := st.Store.Conn.JS.Stream(t.Context(), "QUEUE")
	st.OK(err)
	var got []uint64
	var held []error
	empty := func(err error) {
		if held = append(held, err); err != nil {
			got = append(got, kept(st, "QUEUE")...)
			st.OK(queue.Purge(t.Context()))
		}
	}
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again", ID: "r1", Held: empty})
	st.OK(err)
	st.OK(republish(st, r, 250, nil))
	got = append(got, kept(st, "QUEUE")...)
	if len(got) != 250 || !slices.IsSorted(got) {
		t.Errorf("%d events, sorted %t", len(got), slices.IsSorted(got))
	}
	if len(held) < 2 || held[len(held)-1] != nil {
		t.Errorf("told %v", held)
	}
}

// Streams must take the events of all instances, or of none.
func TestRepublisherRefusesStreams(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	makeStream(st, jetstream.StreamConfig{Name: "ONE", Subjects: []string{"again.acme"}})
	makeStream(st, jetstream.StreamConfig{Name: "TWO", Subjects: []string{"again.beta", "quiet"}})
	makeStream(st, jetstream.StreamConfig{Name: "MUTE", Subjects: []string{"mute.*"}, NoAck: true})
	for _, test := range []struct {
		subject, instances string
		want               error
		streams            string
	}{
		{"again.{instance}", "acme", nil, "ONE"},
		{"again.{instance}", "acme beta", nil, "ONE TWO"},
		{"again.{instance}", "acme gamma", ErrTarget, ""},
		{"again.{instance}", "gamma", nil, ""},
		{"again.acme", "acme gamma", nil, "ONE"},
		{"mute.{instance}", "acme", ErrTarget, ""},
		{"quiet", "", nil, "TWO"},
	} {
		r, err := New(t.Context(), st.Store.Conn, Target{Subject: test.subject, ID: "1", Instances: strings.Fields(test.instances)})
		if !errors.Is(err, test.want) || err == nil && strings.Join(r.Streams, " ") != test.streams {
			t.Errorf("%s of %s: %+v, %v", test.subject, test.instances, r, err)
		}
	}
}

// A subject on which this user must not publish is reported.
func TestRepublishWithoutPermission(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{Password: "secret", Deny: "again.acme"})
	r, err := New(t.Context(), st.Store.Conn, Target{Subject: "again.{instance}", ID: "r1"})
	st.OK(err)
	if err := republish(st, r, 10, nil); !errors.Is(err, nats.ErrPermissionViolation) || r.Waiting() != 1000 {
		t.Errorf("ended with %v, waiting from %d", err, r.Waiting())
	}
}

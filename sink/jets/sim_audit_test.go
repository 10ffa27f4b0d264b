package jets

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// audit reads the whole stream and holds it against the org's log.
func (w *world) audit() {
	w.Helper()
	conn, err := Connect(w.Context(), "", w.server.Option())
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	log := w.org.Events()
	place := make(map[string]int, len(log)) // of an event in the org's log
	for i, e := range log {
		place[e.UUID] = i
	}
	audit := auditor{world: w, log: log, place: place}
	consumer, err := conn.JS.OrderedConsumer(w.Context(), StreamSignals, jetstream.OrderedConsumerConfig{})
	if err != nil {
		w.Fatal(err)
	}
	msgs, err := consumer.Messages()
	if err != nil {
		w.Fatal(err)
	}
	defer msgs.Stop()
	for pending := uint64(1); pending > 0; {
		m, err := msgs.Next()
		if err != nil {
			w.Fatal(err)
		}
		meta, _ := m.Metadata()
		pending = meta.NumPending
		audit.see(m, meta.Sequence.Stream)
	}
	if audit.next != len(log) {
		w.Fatalf("seed %d: %d of %d events stored; the first missing is %s, persisted %v",
			w.seed, audit.next, len(log), log[audit.next].UUID, log[audit.next].Persisted)
	}
}

// auditor goes along the stream and the org's log at once.
type auditor struct {
	*world
	log   []oktatest.Event
	place map[string]int
	next  int // in log: the event that the stream must bring next
	mark  time.Time
}

func (a *auditor) see(m jetstream.Msg, seq uint64) {
	a.Helper()

	if m.Subject() == SubjectPosition("prod") {
		a.position(m.Data(), seq)
		return
	}
	uuid := m.Headers().Get(headerID)
	i, known := a.place[uuid]
	switch {
	case !known:
		a.Fatalf("seed %d: message %d is event %q, which the org does not have", a.seed, seq, uuid)
	case i < a.next:
		a.Fatalf("seed %d: message %d is event %d (%s) again, or late: %d come before it", a.seed, seq, i, uuid, a.next)
	case i > a.next:
		a.Fatalf("seed %d: message %d is event %d; event %d (%s, persisted %v) is missing", a.seed, seq, i, a.next, a.log[a.next].UUID, a.log[a.next].Persisted)
	case !bytes.Equal(m.Data(), a.log[i].Data):
		a.Fatalf("seed %d: message %d has other bytes than its event:\n%s\n%s", a.seed, seq, m.Data(), a.log[i].Data)
	}
	a.next++
}

// position checks a watermark: all that the org persisted up to it stands
// before it.
func (a *auditor) position(data []byte, seq uint64) {
	a.Helper()
	var p pipeline.Position
	if err := json.Unmarshal(data, &p); err != nil {
		a.Fatalf("seed %d: message %d is no position: %v", a.seed, seq, err)
	}
	if !a.trouble.short && a.next < len(a.log) && !a.log[a.next].Persisted.After(p.CompleteThrough) {
		a.Fatalf("seed %d: position %d (%s) says complete through %v, and event %d, persisted %v, is not there",
			a.seed, seq, p.Why, p.CompleteThrough, a.next, a.log[a.next].Persisted)
	}
	if p.CompleteThrough.Before(a.mark) && p.Why != pipeline.WhyStart {
		a.Fatalf("seed %d: watermark moves back at %d (%s): %v after %v", a.seed, seq, p.Why, p.CompleteThrough, a.mark)
	}
	a.mark = p.CompleteThrough
}

package deadletters

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// live is a sink, and where it stands.
type live struct {
	*sinktest.Fixture
	sink *signals.Sink
	at   pipeline.Position
}

// synced is one after its first sync.
func synced(st *sinktest.Fixture, instance string) *live {
	st.Helper()
	q := signals.Query{Origin: sinktest.Origin, Hash: "q1", Since: pipeline.Since{Age: 24 * time.Hour},
		Start: func(since time.Time) pipeline.Link {
			return pipeline.Link("/api/v1/logs?since=" + since.UTC().Format(time.RFC3339))
		}}
	p := &live{Fixture: st, sink: signals.New(st.Store, instance, q, nil, nil)}
	p.sync()
	return p
}

func (p *live) sync() {
	p.Helper()
	var err error
	p.at, err = p.sink.Sync(p.Context())
	p.OK(err)
}

// page is one that leads to link(next); end: the head of the log is reached by it.
func (p *live) page(next int, end bool, list ...pipeline.Event) pipeline.Page {
	return pipeline.Page{Link: p.at.Link, Next: sinktest.Link(next), Events: list, Full: !end, More: !end, CaughtUp: end, Date: sinktest.Epoch.Add(24 * time.Hour)}
}

func (p *live) commit(page pipeline.Page) pipeline.Receipt {
	p.Helper()
	r, err := p.sink.Commit(p.Context(), p.at, page)
	p.OK(err)
	p.at = r.Position
	return r
}

// letters are the dead letters that stand.
func letters(st *sinktest.Fixture) []DeadLetter {
	st.Helper()
	var all []DeadLetter
	for l, err := range (&DeadLetters{Store: st.Store}).All(st.Context(), "", time.Time{}, false) {
		st.OK(err)
		all = append(all, l)
	}
	return all
}

// buried is a fixture with events 1 and 3 stored, event 2 a dead letter since SIGNALS
// took no more than 64 KiB, and two that are no events.
func buried(t *testing.T) (*sinktest.Fixture, *live) {
	st := sinktest.New(t, jetstest.Config{})
	st.LimitSignals(64 << 10)
	p := synced(st, "prod")
	page := p.page(1, false, sinktest.Event(1), sinktest.Large(2), sinktest.Event(3),
		pipeline.Event{Data: []byte(`null`), Flaw: pipeline.FlawNotObject}, pipeline.Event{Data: []byte(`{"uuid":7}`), Flaw: pipeline.FlawNoUUID})
	if r := p.commit(page); r.Stored != 2 || r.DeadLetters != 3 {
		t.Fatalf("receipt %+v", r)
	}
	return st, p
}

func uuids(st *sinktest.Fixture) []string {
	st.Helper()
	var all []string
	for m := range st.Messages(jets.StreamSignals) {
		if m.Subject == jets.SubjectEvents(sinktest.Kind.Name, "prod") {
			all = append(all, m.Header.Get("ce-id")+m.Header.Get("Signal-Origin"))
		}
	}
	return all
}

// TestRequeue stores an event that the stream accepts by now, once, and deletes its dead
// letter.
func TestRequeue(t *testing.T) {
	st, p := buried(t)
	all := letters(st)
	if len(all) != 3 || all[0].Cut() || all[0].Kept != len(sinktest.Large(2).Data) || all[0].Instance != "prod" || all[0].Reason != pipeline.FlawTooLarge {
		t.Fatalf("dead letters: %d, the first %+v", len(all), all[0].Header)
	}
	d := &DeadLetters{Store: jets.Attach(st.Store.Conn, sinktest.Kind)}
	if _, err := d.Requeue(t.Context(), all[0]); !errors.Is(err, ErrStillTooLarge) {
		t.Fatalf("too large still: %v", err)
	}
	for _, l := range all[1:] {
		if _, err := d.Requeue(t.Context(), l); !errors.Is(err, ErrNoEvent) {
			t.Fatalf("%s: %v", l.Data, err)
		}
	}
	conflicting := DeadLetter{Instance: "prod", Reason: pipeline.FlawConflict}
	if _, err := d.Requeueable(t.Context(), conflicting); !errors.Is(err, ErrConflict) {
		t.Errorf("a conflicting repeat: %v", err)
	}
	st.LimitSignals(-1)
	d.Store = jets.Attach(st.Store.Conn, sinktest.Kind)
	cut := all[0]
	cut.Kept--
	if _, err := d.Requeue(t.Context(), cut); !errors.Is(err, ErrCut) {
		t.Fatalf("a cut one: %v", err)
	}
	stored, err := d.Requeue(t.Context(), all[0])
	if err != nil || !stored {
		t.Fatalf("requeued: %v, %v", stored, err)
	}
	if stored, err = d.Requeue(t.Context(), all[0]); err != nil || stored {
		t.Fatalf("requeued again: %v, %v", stored, err)
	}
	if got := uuids(st); !slices.Equal(got, []string{"id-0001", "id-0003", "id-0002repair"}) || len(letters(st)) != 2 {
		t.Fatalf("stored %v, %d letters left", got, len(letters(st)))
	}
	if _, err := p.sink.Commit(t.Context(), p.at, p.page(2, false, sinktest.Event(4))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the poller's commit gave %v", err)
	}
	p.sync()
	p.commit(p.page(2, false, sinktest.Large(2), sinktest.Event(4))) // Okta repeats it
	if got := uuids(st); len(got) != 4 {
		t.Fatalf("stored %v", got)
	}
}

// TestRequeueWaitsForThePoll: the poll may still reach the event.
func TestRequeueWaitsForThePoll(t *testing.T) {
	st, _ := buried(t)
	st.LimitSignals(-1)
	d := &DeadLetters{Store: st.Store}
	letter := letters(st)[0]
	p := synced(st, "prod")
	letter.Link = p.at.Link
	if _, err := d.Requeue(t.Context(), letter); !errors.Is(err, ErrNotPassed) {
		t.Fatalf("with its page's link not left: %v", err)
	}
	letter = letters(st)[0]
	back := signals.Mark{Seq: p.at.Seq - 3}
	_, err := (&signals.Operator{Store: st.Store, Instance: "prod"}).Rewind(t.Context(), back, false, func(signals.Move) error { return nil })
	st.OK(err)
	if _, err := d.Requeue(t.Context(), letter); !errors.Is(err, pipeline.ErrMakingUp) {
		t.Fatalf("while its page is served again: %v", err)
	}
	p = synced(st, "prod")
	p.commit(p.page(1, false, sinktest.Event(1), sinktest.Large(2), sinktest.Event(3))) // it fits now
	p.commit(p.page(2, true))
	if stored, err := d.Requeue(t.Context(), letter); err != nil || stored {
		t.Fatalf("after the poll has stored it: %v, %v", stored, err)
	}
	if got := uuids(st); len(got) != 3 || len(letters(st)) != 2 {
		t.Fatalf("stored %v, %d letters left", got, len(letters(st)))
	}
}

// TestRequeueCutAnywhere: the process ends after each of its writes to the network, and
// another one requeues again: the event is stored once, and the dead letter is gone.
func TestRequeueCutAnywhere(t *testing.T) {
	st := sinktest.New(t, jetstest.Config{})
	half, untouched, whole := 0, 0, 0
	for writes := 1; whole < 2; writes++ {
		instance := fmt.Sprint("cut-", writes)
		letter := buriedOf(st, instance)
		w := jetstest.NewProxy(st.Server)
		conn, err := jets.Connect(t.Context(), "", nats.InProcessServer(w), nats.NoReconnect())
		st.OK(err)
		w.CutAfter(writes)
		_, err = (&DeadLetters{Store: jets.Attach(conn, sinktest.Kind)}).Requeue(t.Context(), letter)
		conn.Close()
		_, gone := (&DeadLetters{Store: st.Store}).Get(t.Context(), letter.Seq)
		switch n := countOf(st, instance); {
		case err == nil:
			whole++
		case n == 2 && gone != nil:
			t.Fatalf("after %d writes the event is nowhere", writes)
		case n == 2:
			untouched++
		case gone == nil:
			half++
		}
		_, err = (&DeadLetters{Store: st.Store}).Requeue(t.Context(), letter)
		st.OK(err)
		_, gone = (&DeadLetters{Store: st.Store}).Get(t.Context(), letter.Seq)
		if n := countOf(st, instance); n != 3 || !errors.Is(gone, jets.ErrNoMessage) || writes > 100 {
			t.Fatalf("after %d writes and another try: %d events, the dead letter: %v", writes, n, gone)
		}
	}
	if half == 0 || untouched == 0 {
		t.Fatalf("%d half, %d untouched, %d whole", half, untouched, whole)
	}
}

// buriedOf makes event 2 of an instance a dead letter that could be published.
func buriedOf(st *sinktest.Fixture, instance string) DeadLetter {
	st.Helper()
	p := synced(st, instance)
	p.commit(p.page(1, false, sinktest.Event(1), pipeline.Event{Data: sinktest.Event(2).Data, Flaw: pipeline.FlawTooLarge}, sinktest.Event(3)))
	for l, err := range (&DeadLetters{Store: st.Store}).All(st.Context(), instance, time.Time{}, false) {
		st.OK(err)
		return l
	}
	st.Fatal("no dead letter")
	return DeadLetter{}
}

// countOf counts an instance's events.
func countOf(st *sinktest.Fixture, instance string) (n int) {
	st.Helper()
	for m := range st.Messages(jets.StreamSignals) {
		if m.Subject == jets.SubjectEvents(sinktest.Kind.Name, instance) {
			n++
		}
	}
	return n
}

func TestDeadLettersAreReadAndDeleted(t *testing.T) {
	st, _ := buried(t)
	st.Write(jets.SubjectDeadLetter(sinktest.Kind.Name, "other"), "by hand")
	d := &DeadLetters{Store: st.Store}
	all := letters(st)
	if len(all) != 4 || all[3].Instance != "other" || all[3].Size != 7 || all[3].Cut() {
		t.Fatalf("%d dead letters, the last %+v", len(all), all[len(all)-1])
	}
	n := 0
	for l, err := range d.All(t.Context(), "prod", time.Now().Add(-time.Hour), true) {
		st.OK(err)
		if n++; len(l.Data) != 0 || l.Kept != l.Size {
			t.Errorf("headers only: %+v", l)
		}
	}
	for range d.All(t.Context(), "prod", time.Now().Add(time.Hour), true) {
		t.Error("one from the future")
	}
	l, err := d.Get(t.Context(), all[1].Seq)
	st.OK(err)
	var null any
	if n != 3 || json.Unmarshal(l.Data, &null) != nil || null != nil {
		t.Fatalf("%d of prod, the second %q", n, l.Data)
	}
	st.OK(d.Delete(t.Context(), l.Seq))
	st.OK(d.Delete(t.Context(), l.Seq))
	st.OK(d.Delete(t.Context(), 99))
	if _, err := d.Get(t.Context(), l.Seq); !errors.Is(err, jets.ErrNoMessage) {
		t.Fatalf("a deleted one: %v", err)
	}
	st.OK(d.Purge(t.Context(), "prod", all[0].Seq))
	if left := letters(st); len(left) != 2 || left[0].Seq != all[2].Seq {
		t.Fatalf("left: %+v", left)
	}
}

// Dead letters are counted by instance.
func TestDeadLettersAreCounted(t *testing.T) {
	ctx := t.Context()
	server := jetstest.Run(t)
	conn, err := jets.Connect(ctx, "", server.Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	store, err := jets.Open(ctx, conn, jets.Config{Kinds: sinktest.Kinds})
	if err != nil {
		t.Fatal(err)
	}
	for _, instance := range []string{"acme", "acme", "globex"} {
		if _, err := conn.JS.PublishMsg(ctx, &nats.Msg{Subject: jets.SubjectDeadLetter(sinktest.Kind.Name, instance), Data: []byte("?")}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Count(ctx, store)
	if err != nil || len(got) != 2 || got["acme"] != 2 || got["globex"] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

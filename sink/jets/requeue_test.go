package jets

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/source/okta"
)

// limitSignals sets the size of a message that SIGNALS takes, as an operator might.
func (st *stand) limitSignals(bytes int32) {
	st.Helper()
	stream, err := st.store.Conn.JS.Stream(st.Context(), StreamSignals)
	st.ok(err)
	config := stream.CachedInfo().Config
	config.MaxMsgSize = bytes
	_, err = st.store.Conn.JS.UpdateStream(st.Context(), config)
	st.ok(err)
	st.open()
}

// large is event i with 100 KB of filler.
func large(i int) pipeline.Event {
	e := event(i)
	e.Data = []byte(strings.Replace(string(e.Data), "}", `,"x":"`+strings.Repeat("x", 100<<10)+`"}`, 1))
	return e
}

// letters are the dead letters that stand.
func (st *stand) letters() []DeadLetter {
	st.Helper()
	var all []DeadLetter
	for l, err := range (&DeadLetters{Store: st.store}).All(st.Context(), "", time.Time{}, false) {
		st.ok(err)
		all = append(all, l)
	}
	return all
}

// buried is a stand with events 1 and 3 stored, event 2 a dead letter since SIGNALS
// took no more than 64 KiB, and two that are no events.
func buried(t *testing.T) (*stand, *Sink) {
	st := newStand(t, jetstest.Config{})
	st.limitSignals(64 << 10)
	s := st.synced()
	p := page(s, 1, []pipeline.Event{event(1), large(2), event(3),
		{Data: []byte(`null`), Flaw: pipeline.FlawNotObject}, {Data: []byte(`{"uuid":7}`), Flaw: pipeline.FlawNoUUID}})
	if r := st.commit(s, p); r.Stored != 2 || r.DeadLetters != 3 {
		t.Fatalf("receipt %+v", r)
	}
	return st, s
}

func (st *stand) uuids() []string {
	st.Helper()
	var all []string
	for m := range st.messages(StreamSignals) {
		if m.Subject == SubjectEvents("prod") {
			all = append(all, m.Header.Get("ce-id")+m.Header.Get("Signal-Origin"))
		}
	}
	return all
}

// TestRequeue stores what the stream takes by now, once, and deletes the dead letter.
func TestRequeue(t *testing.T) {
	st, s := buried(t)
	all := st.letters()
	if len(all) != 3 || all[0].Cut() || all[0].Kept != len(large(2).Data) || all[0].Instance != "prod" || all[0].Reason != pipeline.FlawTooLarge {
		t.Fatalf("dead letters: %d, the first %+v", len(all), all[0].Header)
	}
	d := &DeadLetters{Store: Attach(st.store.Conn)}
	if _, err := d.Requeue(t.Context(), all[0], okta.Element); !errors.Is(err, ErrStillTooLarge) {
		t.Fatalf("too large still: %v", err)
	}
	for _, l := range all[1:] {
		if _, err := d.Requeue(t.Context(), l, okta.Element); !errors.Is(err, ErrNoEvent) {
			t.Fatalf("%s: %v", l.Data, err)
		}
	}
	st.limitSignals(-1)
	d.Store = Attach(st.store.Conn)
	cut := all[0]
	cut.Kept--
	if _, err := d.Requeue(t.Context(), cut, okta.Element); !errors.Is(err, ErrCut) {
		t.Fatalf("a cut one: %v", err)
	}
	stored, err := d.Requeue(t.Context(), all[0], okta.Element)
	if err != nil || !stored {
		t.Fatalf("requeued: %v, %v", stored, err)
	}
	if stored, err = d.Requeue(t.Context(), all[0], okta.Element); err != nil || stored {
		t.Fatalf("requeued again: %v, %v", stored, err)
	}
	if got := st.uuids(); !slices.Equal(got, []string{"id-0001", "id-0003", "id-0002repair"}) || len(st.letters()) != 2 {
		t.Fatalf("stored %v, %d letters left", got, len(st.letters()))
	}
	if _, err := s.Commit(t.Context(), s.at, page(s, 2, events(4, 4))); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the poller's commit gave %v", err)
	}
	_, err = s.Sync(t.Context())
	st.ok(err)
	st.commit(s, page(s, 2, []pipeline.Event{large(2), event(4)})) // Okta repeats it
	if got := st.uuids(); len(got) != 4 {
		t.Fatalf("stored %v", got)
	}
}

// TestRequeueWaitsForThePoll: a poll may yet come to the event.
func TestRequeueWaitsForThePoll(t *testing.T) {
	st, _ := buried(t)
	st.limitSignals(-1)
	d := &DeadLetters{Store: st.store}
	letter := st.letters()[0]
	s := st.synced()
	letter.Link = s.at.Link
	if _, err := d.Requeue(t.Context(), letter, okta.Element); !errors.Is(err, ErrNotPassed) {
		t.Fatalf("with its page's link not left: %v", err)
	}
	letter = st.letters()[0]
	st.rewind(s.at.Seq-3, false)
	if _, err := d.Requeue(t.Context(), letter, okta.Element); !errors.Is(err, pipeline.ErrMakingUp) {
		t.Fatalf("while its page is served again: %v", err)
	}
	s = st.synced()
	st.commit(s, page(s, 1, []pipeline.Event{event(1), large(2), event(3)})) // it fits now
	st.commit(s, short(s, 2, nil))
	if stored, err := d.Requeue(t.Context(), letter, okta.Element); err != nil || stored {
		t.Fatalf("after the poll has stored it: %v, %v", stored, err)
	}
	if got := st.uuids(); len(got) != 3 || len(st.letters()) != 2 {
		t.Fatalf("stored %v, %d letters left", got, len(st.letters()))
	}
}

// TestRequeueCutAnywhere: the process ends after each of its writes to the network,
// and another one requeues again: the event is there once, the dead letter gone.
func TestRequeueCutAnywhere(t *testing.T) {
	st := newStand(t, jetstest.Config{})
	half, untouched, whole := 0, 0, 0
	for writes := 1; whole < 2; writes++ {
		instance := fmt.Sprint("cut-", writes)
		letter := st.buriedOf(instance)
		w := &cable{server: st.server, left: -1}
		conn, err := Connect(t.Context(), "", nats.InProcessServer(w), nats.NoReconnect())
		st.ok(err)
		w.cutAfter(writes)
		_, err = (&DeadLetters{Store: Attach(conn)}).Requeue(t.Context(), letter, okta.Element)
		conn.Close()
		_, gone := (&DeadLetters{Store: st.store}).Get(t.Context(), letter.Seq)
		switch n := st.countOf(instance); {
		case err == nil:
			whole++
		case n == 2 && gone != nil:
			t.Fatalf("after %d writes the event is nowhere", writes)
		case n == 2:
			untouched++
		case gone == nil:
			half++
		}
		_, err = (&DeadLetters{Store: st.store}).Requeue(t.Context(), letter, okta.Element)
		st.ok(err)
		_, gone = (&DeadLetters{Store: st.store}).Get(t.Context(), letter.Seq)
		if n := st.countOf(instance); n != 3 || !errors.Is(gone, ErrNoMessage) || writes > 100 {
			t.Fatalf("after %d writes and another try: %d events, the dead letter: %v", writes, n, gone)
		}
	}
	if half == 0 || untouched == 0 {
		t.Fatalf("%d half, %d untouched, %d whole", half, untouched, whole)
	}
}

// buriedOf makes event 2 of an instance a dead letter that could be published.
func (st *stand) buriedOf(instance string) DeadLetter {
	st.Helper()
	s := NewSink(st.store, instance, query(), nil, nil)
	_, err := s.Sync(st.Context())
	st.ok(err)
	p := page(s, 1, []pipeline.Event{event(1), event(2), event(3)})
	_, err = s.bury(st.Context(), p.Link, []letter{{pipeline.Event{Data: event(2).Data, Flaw: pipeline.FlawTooLarge}, 1}})
	st.ok(err)
	p.Events = []pipeline.Event{event(1), event(3)}
	st.commit(s, p)
	for l, err := range (&DeadLetters{Store: st.store}).All(st.Context(), instance, time.Time{}, false) {
		st.ok(err)
		return l
	}
	st.Fatal("no dead letter")
	return DeadLetter{}
}

// countOf counts an instance's events.
func (st *stand) countOf(instance string) uint64 {
	st.Helper()
	n, err := (&Operator{Store: st.store, Instance: instance}).after(st.Context(), 0)
	st.ok(err)
	return n
}

func TestDeadLettersAreReadAndDeleted(t *testing.T) {
	st, _ := buried(t)
	st.write(SubjectDeadLetter("other"), "by hand")
	d := &DeadLetters{Store: st.store}
	all := st.letters()
	if len(all) != 4 || all[3].Instance != "other" || all[3].Size != 7 || all[3].Cut() {
		t.Fatalf("%d dead letters, the last %+v", len(all), all[len(all)-1])
	}
	n := 0
	for l, err := range d.All(t.Context(), "prod", time.Now().Add(-time.Hour), true) {
		st.ok(err)
		if n++; len(l.Data) != 0 || l.Kept != l.Size {
			t.Errorf("headers only: %+v", l)
		}
	}
	for range d.All(t.Context(), "prod", time.Now().Add(time.Hour), true) {
		t.Error("one from the future")
	}
	l, err := d.Get(t.Context(), all[1].Seq)
	st.ok(err)
	var null any
	if n != 3 || json.Unmarshal(l.Data, &null) != nil || null != nil {
		t.Fatalf("%d of prod, the second %q", n, l.Data)
	}
	st.ok(d.Delete(t.Context(), l.Seq))
	st.ok(d.Delete(t.Context(), l.Seq))
	st.ok(d.Delete(t.Context(), 99))
	if _, err := d.Get(t.Context(), l.Seq); !errors.Is(err, ErrNoMessage) {
		t.Fatalf("a deleted one: %v", err)
	}
	st.ok(d.Purge(t.Context(), "prod", all[0].Seq))
	if left := st.letters(); len(left) != 2 || left[0].Seq != all[2].Seq {
		t.Fatalf("left: %+v", left)
	}
}

package signals

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// TestSamples passes real events from an org through client and sink to the
// stream, byte for byte.
func TestSamples(t *testing.T) {
	lines := oktatest.Samples(t)
	synctest.Test(t, func(t *testing.T) { passThrough(t, lines) })
}

// TestOddEventsAreStoredToTheByte does the same with unusual events of all kinds, and a
// large one, between elements that are not events: those become dead letters.
func TestOddEventsAreStoredToTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
		st := newFixture(t, jetstest.Config{})
		var served, odd, bad [][]byte
		for _, text := range oktatest.NonEvents() {
			bad = append(bad, []byte(text))
		}
		for i, e := range append(oktatest.OddEvents(1, time.Now()), oktatest.Oversize(1, 2<<20, time.Now())) {
			odd = append(odd, e.Data)
			if served = append(served, e.Data); i < len(bad) {
				served = append(served, bad[i])
			}
		}
		st.poll("odd", served)
		ledger := &Ledger{Store: st.Store, Instance: "odd"}
		for _, m := range st.wantBytes(jets.StreamSignals, jets.SubjectEvents(sinktest.Kind.Name, "odd"), odd) {
			e, err := ledger.Event(t.Context(), m.Sequence) // as an audit reads it
			st.OK(err)
			if e.UUID == "" || e.UUID != m.Header.Get(jets.HeaderID) || !bytes.Equal(e.Data, m.Data) {
				t.Errorf("event %d is read as %q", m.Sequence, e.UUID)
			}
		}
		st.wantBytes(jets.StreamDeadLetter, jets.SubjectDeadLetter(sinktest.Kind.Name, "odd"), bad)
	})
}

func passThrough(t *testing.T, lines [][]byte) {
	t.Cleanup(func() { time.Sleep(time.Second) }) // a stopped server's last goroutines
	st := newFixture(t, jetstest.Config{})
	for i, lines := range asOrgs(t, lines) {
		st.passThrough(fmt.Sprint("org-", i+1), lines)
	}
}

// asOrgs deals lines with the same uuid to different orgs: in one of them the
// second would be a repeat, and dropped.
func asOrgs(t *testing.T, lines [][]byte) [][][]byte {
	t.Helper()
	var orgs [][][]byte
	times := map[string]int{}
	for _, line := range lines {
		var event struct{ UUID string }
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		n := times[event.UUID]
		if times[event.UUID]++; n == len(orgs) {
			orgs = append(orgs, nil)
		}
		orgs[n] = append(orgs[n], line)
	}
	return orgs
}

// passThrough polls an org that has these events to its end, and looks at what is
// stored.
func (st *fixture) passThrough(instance string, lines [][]byte) {
	st.Helper()
	st.poll(instance, lines)
	for _, m := range st.wantBytes(jets.StreamSignals, jets.SubjectEvents(sinktest.Kind.Name, instance), lines) {
		checkHeaders(st.T, m)
	}
}

// poll polls an org that serves these elements, and no other, to its end.
func (st *fixture) poll(instance string, elements [][]byte) {
	st.Helper()
	org := oktatest.New(oktatest.Config{Origin: sinktest.Origin, Links: oktatest.Links{Vary: true}})
	for _, element := range elements {
		org.Add(oktatest.Event{Data: element, Published: time.Now(), Persisted: time.Now()}) // not what it says: it may be too old to be kept
	}
	const limit = 2
	client := &okta.Client{Instance: instance, Origin: sinktest.Origin, Credential: pipeline.NewSecret("00secret"), Limit: limit,
		HTTP: &http.Client{Transport: org.Transport()}}
	q := Query{Origin: sinktest.Origin, Hash: okta.Query("", limit), Since: pipeline.Since{},
		Start: func(since time.Time) pipeline.Link { return okta.Start("", limit, since) }, Org: client.Organization}
	runner := &pipeline.Runner{
		Kind:     "okta",
		Instance: instance,
		Source:   client,
		Sink:     New(st.Store, instance, q, nil, nil),
	}
	ctx, stop := context.WithTimeout(st.Context(), 10*time.Minute)
	defer stop()
	st.OK(runner.Run(ctx))
}

// wantBytes checks that the messages of a subject have these bytes, in this order, and
// returns them.
func (st *fixture) wantBytes(stream, subject string, want [][]byte) []*jetstream.RawStreamMsg {
	st.Helper()
	var got []*jetstream.RawStreamMsg
	for m := range st.Messages(stream) {
		if m.Subject != subject {
			continue
		}
		if len(got) == len(want) || !bytes.Equal(m.Data, want[len(got)]) {
			st.Fatalf("message %d on %s is %.200q", len(got)+1, subject, m.Data)
		}
		got = append(got, m)
	}
	if len(got) != len(want) {
		st.Fatalf("%d of %d messages on %s", len(got), len(want), subject)
	}
	return got
}

// checkHeaders checks that a consumer can route a real event by its headers.
func checkHeaders(t *testing.T, m *jetstream.RawStreamMsg) {
	t.Helper()
	for _, name := range []string{jets.HeaderID, jets.HeaderType, jets.HeaderTime} {
		if v := m.Header[name]; len(v) != 1 || v[0] == "" || v[0] == sinktest.Kind.TypePrefix+"unknown" {
			t.Errorf("message %d: %s is %q", m.Sequence, name, v)
		}
	}
}

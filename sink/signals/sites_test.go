package signals

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// sites are a hub and a leaf node, each with a JetStream of its own, and the line
// between them. What one publishes to an instance's subjects crosses it.
type sites struct {
	*testing.T
	hub, leaf *fixture
	line      *jetstest.Line
}

func newSites(t *testing.T, deny ...string) *sites {
	t.Helper()
	port, err := jetstest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	hub := newFixture(t, jetstest.Config{Domain: "hub", LeafPort: port})
	line := jetstest.NewLine(t, fmt.Sprintf("127.0.0.1:%d", port))
	line.Cut()
	leaf := newFixture(t, jetstest.Config{Domain: "leaf", LeafOf: line.URL(), LeafDeny: deny})
	return &sites{t, hub, leaf, line}
}

// mend mends the line and waits until what one site publishes is heard at the other.
func (s *sites) mend() {
	s.Helper()
	s.line.Mend()
	s.heard()
}

// heard waits until each site's stream has answered what the other has published so far:
// the line and the streams keep the order.
func (s *sites) heard() {
	s.Helper()
	const subject = "signals.okta.probe"
	for _, st := range []*fixture{s.hub, s.leaf} {
		for answers(s.T, st.Store.Conn, subject) < 2 {
			s.ok(s.Context().Err())
		}
	}
}

func (s *sites) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// answers counts the streams that take what is published to a subject.
func answers(t *testing.T, c *jets.Conn, subject string) int {
	t.Helper()
	takers, err := c.Takers(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return len(takers)
}

// carry commits a page, as a Runner does: after a refusal, which may be the other
// site's, it syncs, and asks for the page again unless it is stored.
func (st *fixture) carry(s *Sink, next int, list []pipeline.Event) {
	st.Helper()
	for s.at.Link != sinktest.Link(next) {
		if _, err := s.Commit(st.Context(), s.at, page(s, next, list)); err != nil {
			_, err = s.Sync(st.Context())
			st.OK(err)
		}
	}
}

// Two sites poll one org under one name. While the line between them is cut, they store
// the same events in different pages, and reach the same sequences. When it is mended, an
// event that one site publishes must not be stored by the other, whose stream lacks one
// before it.
func TestSitesAtTheSameSequences(t *testing.T) {
	s := newSites(t)
	hub, leaf := s.hub.synced(), s.leaf.synced()
	for i := range 3 {
		s.leaf.commit(leaf, page(leaf, i+1, sinktest.Events(i, i)))
	}
	s.hub.commit(hub, page(hub, 2, sinktest.Events(0, 1)))
	s.hub.commit(hub, page(hub, 4, sinktest.Events(2, 3)))
	s.mend()
	s.hub.carry(hub, 5, sinktest.Events(4, 4))
	s.heard()
	s.leaf.carry(leaf, 4, sinktest.Events(3, 3))
	s.leaf.carry(leaf, 5, sinktest.Events(4, 4))
	s.hub.wantEvents(0, 4)
	s.leaf.wantEvents(0, 4)
}

// With the denials that deployments/README.md has for the line, the sites are
// independent.
func TestSitesApart(t *testing.T) {
	s := newSites(t, "signals.>", "signal-cursor.>", "deadletter.>")
	s.line.Mend()
	heard, err := s.leaf.Store.Conn.NATS.SubscribeSync("hello")
	s.ok(err)
	for {
		s.ok(s.hub.Store.Conn.NATS.Publish("hello", nil))
		if _, err := heard.NextMsg(50 * time.Millisecond); err == nil {
			break // the line stands
		}
	}
	for _, st := range []*fixture{s.hub, s.leaf} {
		for _, subject := range []string{"signals.okta.x", "signal-cursor.okta.x", "deadletter.okta.x"} {
			if n := answers(t, st.Store.Conn, subject); n != 1 {
				t.Errorf("%s is taken by %d streams", subject, n)
			}
		}
	}
}

// The acknowledgement of another site's stream is no commit.
func TestAnotherSitesAckIsNoCommit(t *testing.T) {
	s := newSites(t)
	s.mend()
	s.ok(s.leaf.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamSignals))
	for range 100 { // until the leaf node's own interest is gone
		if answers(t, s.leaf.Store.Conn, "signals.okta.probe") == 1 {
			break
		}
	}
	for _, subjects := range [][]string{{"signals.okta.x"}, {"signals.okta.y", "signals.okta.z"}} {
		var batch []*nats.Msg
		for _, subject := range subjects {
			batch = append(batch, &nats.Msg{Subject: subject, Header: nats.Header{}})
		}
		if seq, err := s.leaf.Store.Publisher.Publish(t.Context(), batch); !errors.Is(err, jets.ErrForeignAck) {
			t.Errorf("%d messages acknowledged by the hub alone: sequence %d, %v", len(batch), seq, err)
		}
	}
}

// site is a poller of one site, that may rest.
type site struct {
	*fixture
	name string
	gate sinktest.Gate
}

// restingSink stops where gatedSource does.
type restingSink struct {
	*Sink
	gate *sinktest.Gate
}

func (s *restingSink) Commit(ctx context.Context, at pipeline.Position, page pipeline.Page) (pipeline.Receipt, error) {
	s.gate.Pass()
	defer s.gate.Pass()
	return s.Sink.Commit(ctx, at, page)
}

// poll polls the org until ctx ends.
func (s *site) poll(ctx context.Context, org *oktatest.Org) {
	source := &okta.Client{Instance: "prod", Origin: sinktest.Origin, Credential: pipeline.NewSecret("00secret"), Limit: 5,
		HTTP: &http.Client{Transport: org.Transport()}}
	query := Query{Origin: sinktest.Origin, Hash: okta.Query("", 5), Since: pipeline.Since{Age: time.Hour},
		Start: func(since time.Time) pipeline.Link { return okta.Start("", 5, since) }}
	err := (&pipeline.Runner{
		Kind:     "okta",
		Instance: "prod", Interval: 30 * time.Millisecond, Backoff: pipeline.Backoff{Min: 10 * time.Millisecond, Max: 50 * time.Millisecond},
		Source: sinktest.GatedSource{Source: source, Gate: &s.gate},
		Sink:   &restingSink{New(s.Store, "prod", query, nil, nil), &s.gate},
	}).Run(ctx)
	if err != nil {
		s.Error(err)
	}
}

// audit holds the site's stream against the org's log.
func (s *site) audit(org *oktatest.Org) error {
	a := jetstest.Audit{Stream: jets.StreamSignals, Events: jets.SubjectEvents(sinktest.Kind.Name, "prod"), Positions: jets.SubjectPosition(sinktest.Kind.Name, "prod")}
	for _, e := range org.Events() {
		a.Log = append(a.Log, jetstest.Logged{UUID: e.UUID, Data: e.Data, Persisted: e.Persisted})
	}
	return a.Run(s.Context(), s.Store.Conn.JS)
}

// await waits until the site has stored all events of the org.
func (s *site) await(org *oktatest.Org) {
	s.Helper()
	for patience := time.Now().Add(time.Minute); s.count() < uint64(org.Len()); {
		if time.Now().After(patience) {
			s.Fatalf("%d of %d events stored: %v", s.count(), org.Len(), s.audit(org))
		}
	}
}

// count is the number of events in the site's stream.
func (s *site) count() uint64 {
	stream, err := s.Store.Conn.JS.Stream(s.Context(), jets.StreamSignals)
	s.OK(err)
	info, err := stream.Info(s.Context(), jetstream.WithSubjectFilter(jets.SubjectEvents(sinktest.Kind.Name, "prod")))
	s.OK(err)
	return info.State.Subjects[jets.SubjectEvents(sinktest.Kind.Name, "prod")]
}

// Two sites poll one org under one name. The line between them is cut and mended,
// and each rests for a while: neither loses an event, or stores one twice.
func TestSites(t *testing.T) {
	const total = 216
	s := newSites(t)
	org := oktatest.New(oktatest.Config{Origin: sinktest.Origin, Requests: -1, Rate: oktatest.Rate{PerMinute: 1 << 30}})
	ctx, stop := context.WithCancel(t.Context())
	both := []*site{{fixture: s.hub, name: "hub"}, {fixture: s.leaf, name: "leaf node"}}
	done := make(chan struct{}, len(both))
	for _, each := range both {
		go func() {
			each.poll(ctx, org)
			done <- struct{}{}
		}()
	}
	// add puts n events into the org's log and waits until those that don't rest have them.
	add := func(n int, awake ...*site) {
		for range n {
			org.Add(oktatest.Event{})
			for _, each := range awake {
				each.await(org)
			}
		}
	}
	for round := range 6 {
		resting, awake := both[round%2], both[1-round%2]
		s.line.Cut()
		add(6, both...)
		resting.gate.Close()
		add(10, awake)
		s.mend()
		add(10, awake)
		resting.gate.Open()
		add(10, both...)
	}
	stop()
	<-done
	<-done
	for _, each := range both {
		if err := each.audit(org); err != nil {
			t.Errorf("%s: %v", each.name, err)
		}
	}
	if org.Len() != total {
		t.Errorf("%d events", org.Len())
	}
}

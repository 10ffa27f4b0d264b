package signals

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// A mirror of SIGNALS at another site takes its place while it is behind: by some pages,
// in the middle of a batch, or by nothing. CURSORS there is absent, or was restored and is
// newer than the mirror. The org's events are then stored once each, at the sequences of
// the old stream as far as the mirror had them.
func TestPromotedMirror(t *testing.T) {
	s := newSites(t, "signals.>", "signal-cursor.>", "deadletter.>")
	s.line.Mend()
	org := oktatest.New(oktatest.Config{Origin: sinktest.Origin, Requests: -1, Rate: oktatest.Rate{PerMinute: 1 << 30}})
	old := &site{fixture: s.hub, name: "old"}
	pollUntilStored(old, org, 23)
	from, err := old.Store.Conn.Extent(t.Context())
	s.ok(err)
	kept := map[uint64]string{}
	for m := range old.Messages(jets.StreamSignals) {
		kept[m.Sequence] = m.Subject + string(m.Data)
	}
	cursor := old.cursor()

	all := int64(from.Last - from.First + 1)
	for round, behind := range []int64{0, 1, 2, 4, 7, 12, all - 1} {
		restored := round%2 == 1
		t.Run(fmt.Sprintf("%d behind, CURSORS restored: %v", behind, restored), func(t *testing.T) {
			promoted := &site{fixture: &fixture{&sinktest.Fixture{T: t, Server: s.leaf.Server, Store: s.leaf.Store}}, name: "new"}
			promoted.promote(from, all-behind)
			s.ok(promoted.emptyCursors())
			if restored {
				data, err := cursor.MarshalJSON()
				s.ok(err)
				sinktest.Put(t, promoted.Store, jets.BucketCursors, jets.Key(sinktest.Kind.Name, "prod"), string(data))
			}
			s.ok(promoted.Store.Ensure(t.Context())) // as the start of a process does
			pollUntilStored(promoted, org, 3)        // and three new ones
			if err := promoted.audit(org); err != nil {
				t.Error(err)
			}
			mirrored := int64(0)
			for m := range promoted.Messages(jets.StreamSignals) {
				if mirrored++; mirrored <= all-behind && kept[m.Sequence] != m.Subject+string(m.Data) {
					t.Errorf("message %d differs from the old stream's", m.Sequence)
				}
			}
			created, err := promoted.Store.Conn.Extent(t.Context())
			if c := promoted.cursor(); err != nil || !c.StreamCreated.Equal(created.Created) {
				t.Errorf("CURSORS names the stream of %v, not of %v: %v", c.StreamCreated, created.Created, err)
			}
		})
	}
}

// pollUntilStored adds n events to the org's log and polls until the site has them all.
func pollUntilStored(s *site, org *oktatest.Org, n int) {
	s.Helper()
	for range n {
		org.Add(oktatest.Event{})
	}
	ctx, stop := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.poll(ctx, org)
	}()
	s.await(org)
	stop()
	<-done
}

// promote makes SIGNALS a mirror of the old site's, which receives so many messages and no
// more, and then the stream itself, as an operator does.
func (s *site) promote(from jets.Extent, most int64) {
	s.Helper()
	js := s.Store.Conn.JS
	if err := js.DeleteStream(s.Context(), jets.StreamSignals); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		s.Fatal(err)
	}
	config := jetstream.StreamConfig{
		Name: jets.StreamSignals, Mirror: &jetstream.StreamSource{Name: jets.StreamSignals, External: &jetstream.ExternalStream{APIPrefix: "$JS.hub.API"}},
		MaxMsgs: most, Discard: jetstream.DiscardNew, Replicas: 1,
	}
	mirror, err := js.CreateStream(s.Context(), config)
	s.OK(err)
	for patience := time.Now().Add(time.Minute); ; {
		info, err := mirror.Info(s.Context())
		s.OK(err)
		if info.State.LastSeq == from.First+uint64(most)-1 {
			break
		}
		if time.Now().After(patience) {
			s.Fatalf("the mirror has %d to %d, want %d messages from %d", info.State.FirstSeq, info.State.LastSeq, most, from.First)
		}
	}
	if _, err := jets.Open(s.Context(), s.Store.Conn, jets.Config{Kinds: sinktest.Kinds}); !errors.Is(err, jets.ErrUnusable) {
		s.Errorf("a store on a mirror: %v", err)
	}
	config.Mirror, config.MaxMsgs, config.Discard = nil, -1, jetstream.DiscardOld
	config.Subjects, config.AllowAtomicPublish = []string{"signals.>", "signal-cursor.>"}, true
	_, err = js.UpdateStream(s.Context(), config)
	s.OK(err)
}

// emptyCursors removes what an earlier test left there.
func (s *site) emptyCursors() error {
	stream, err := s.Store.Conn.JS.Stream(s.Context(), jets.BucketStream(jets.BucketCursors))
	if err != nil {
		return err
	}
	return stream.Purge(s.Context())
}

// A process that is connected to a hub keeps everything in the JetStream domain of a leaf
// node, and an acknowledgement of another domain is an error.
func TestDomainOverALeafNode(t *testing.T) {
	port, err := jetstest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	hub := jetstest.Config{Domain: "hub", LeafPort: port}.Run(t)
	jetstest.Config{Domain: "leaf", LeafOf: fmt.Sprintf("nats://127.0.0.1:%d", port)}.Run(t)
	var conn *jets.Conn
	for patience := time.Now().Add(time.Minute); ; { // until the leaf node is connected
		conn, err = jets.Dialer{Domain: "leaf"}.Connect(t.Context(), "", hub.Option())
		if err == nil {
			break
		}
		if !errors.Is(err, jets.ErrNoJetStream) || time.Now().After(patience) {
			t.Fatal(err)
		}
	}
	t.Cleanup(conn.Close)
	store, err := jets.Open(t.Context(), conn, jets.Config{Kinds: sinktest.Kinds})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{fixture: &fixture{&sinktest.Fixture{T: t, Server: hub, Store: store}}, name: "leaf"}
	org := oktatest.New(oktatest.Config{Origin: sinktest.Origin, Requests: -1, Rate: oktatest.Rate{PerMinute: 1 << 30}})
	pollUntilStored(s, org, 12)
	if err := s.audit(org); err != nil {
		t.Error(err)
	}
	if c := s.cursor(); c.StreamSeq == 0 {
		t.Error("nothing is in CURSORS")
	}
	here := sinktest.Dial(t, hub)
	if account, err := here.Account(t.Context()); err != nil || account.Streams != 0 || account.Domain != "hub" {
		t.Errorf("the hub itself has %+v, %v", account, err)
	}

	// The hub gets a stream for the same subjects: its acknowledgements are not ours.
	if _, err := jets.Open(t.Context(), here, jets.Config{Kinds: sinktest.Kinds}); err != nil {
		t.Fatal(err)
	}
	err = conn.JS.DeleteStream(t.Context(), jets.StreamSignals)
	for range 100 {
		if err == nil {
			_, err = store.Publisher.Publish(t.Context(), []*nats.Msg{{Subject: "signals.okta.x", Header: nats.Header{}}})
		}
		if errors.Is(err, jets.ErrForeignAck) {
			return
		}
		err = nil // the leaf node's interest goes with its stream, a moment later
	}
	t.Errorf("acknowledged by the hub: %v", err)
}

package signals

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// TestCommitCutAnywhere ends a process in the middle of a commit, after each
// number of bytes that it sends: between any two writes, within one, after the
// last with its ack lost. The next process finds nothing lost, nothing twice, and
// the page's dead letter kept; also where an operator purges the positions
// in between, so that CURSORS is all that is left.
func TestCommitCutAnywhere(t *testing.T) {
	for _, purged := range []bool{false, true} {
		t.Run(fmt.Sprintf("purged=%v", purged), func(t *testing.T) {
			t.Parallel()
			st := newFixture(t, jetstest.Config{})
			cuts, whole := 0, false
			for ; !whole && cuts < 200; cuts++ {
				whole = st.cutAt(fmt.Sprint("cut-", cuts), 60*cuts, purged)
			}
			st.wantAfterCuts(cuts)
			if cuts < 20 || !whole {
				t.Fatalf("%d cuts, whole: %v", cuts, whole)
			}
		})
	}
}

// cutAt cuts a commit of an instance after the given number of bytes, and lets another
// process finish the work. It reports whether the commit was complete by then.
func (st *fixture) cutAt(instance string, bytes int, purged bool) bool {
	st.Helper()
	wire := &shortWire{server: st.Server, left: -1}
	conn, err := jets.Connect(st.Context(), "", st.Server.AsService(), nats.InProcessServer(wire), nats.NoReconnect())
	st.OK(err)
	defer conn.Close()
	s := New(jets.Attach(conn, sinktest.Kind), instance, query(), nil, nil)
	_, err = s.Sync(st.Context())
	st.OK(err)
	st.commit(s, page(s, 1, sinktest.Events(1, 3)))
	st.OK(s.settle(st.Context()))
	wire.cutAfter(bytes)
	_, err = s.Commit(st.Context(), s.at, pageWithLetter(s))
	if err == nil {
		err = s.settle(st.Context())
	}
	conn.Close()

	if purged {
		st.Purge(jets.SubjectPosition(sinktest.Kind.Name, instance))
	}
	next := New(st.Store, instance, query(), nil, nil)
	_, failed := next.Sync(st.Context())
	st.OK(failed)
	if next.at.Link == sinktest.Link(1) {
		st.commit(next, pageWithLetter(next))
	}
	st.commit(next, short(next, 3, sinktest.Events(8, 8)))
	return err == nil
}

// pageWithLetter is the page that is cut.
func pageWithLetter(s *Sink) pipeline.Page {
	return page(s, 2, append(sinktest.Events(4, 7), pipeline.Event{Data: []byte(`7`), Flaw: pipeline.FlawNotObject}))
}

// wantAfterCuts checks what the stream holds of each instance.
func (st *fixture) wantAfterCuts(cuts int) {
	st.Helper()
	stored, letters := map[string][]string{}, map[string]int{}
	for m := range st.Messages(jets.StreamSignals) {
		if id := m.Header.Get(jets.HeaderID); id != "" {
			stored[m.Subject] = append(stored[m.Subject], id)
		}
	}
	for m := range st.Messages(jets.StreamDeadLetter) {
		letters[m.Subject]++
	}
	var want []string
	for _, e := range sinktest.Events(1, 8) {
		want = append(want, e.UUID)
	}
	for n := range cuts {
		instance := fmt.Sprint("cut-", n)
		if got := stored[jets.SubjectEvents(sinktest.Kind.Name, instance)]; !slices.Equal(got, want) {
			st.Errorf("%s: stored %v", instance, got)
		}
		if letters[jets.SubjectDeadLetter(sinktest.Kind.Name, instance)] == 0 {
			st.Errorf("%s: the dead letter is lost", instance)
		}
	}
}

// shortWire is a process's way to the server that ends after a number of bytes.
type shortWire struct {
	server interface{ InProcessConn() (net.Conn, error) }

	mu   sync.Mutex
	left int // bytes; negative: no end
}

// InProcessConn makes a shortWire fit for nats.InProcessServer.
func (w *shortWire) InProcessConn() (net.Conn, error) {
	conn, err := w.server.InProcessConn()
	return &shortConn{conn, w}, err
}

func (w *shortWire) cutAfter(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = bytes
}

type shortConn struct {
	net.Conn
	wire *shortWire
}

func (c *shortConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.wire.left < 0 || c.wire.left > len(b) {
		c.wire.left = max(c.wire.left-len(b), min(c.wire.left, 0))
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:c.wire.left])
	c.wire.left = 0
	_ = c.Close()
	return n, net.ErrClosed
}

package jets

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/breaker"
	"github.com/witfoo/signal-client/source/okta"
)

// poller is a process of the simulation: it has a connection and a memory of
// its own, and loses both when it is killed.
type poller struct {
	name string
	w    *world
	wire *wire
	gate gate
	stop context.CancelFunc
	done chan struct{}
}

func (w *world) launch(name string) *poller {
	ctx, stop := context.WithCancel(w.Context())
	p := &poller{name: name, w: w, wire: &wire{server: w.server, left: -1}, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for ctx.Err() == nil {
			if err := p.live(ctx); err != nil {
				w.log.Info("poller", "name", name, "err", err)
			}
			_ = pipeline.Sleep(ctx, time.Second)
		}
	}()
	return p
}

// live is a process from its connection on.
func (p *poller) live(ctx context.Context) error {
	conn, err := Connect(ctx, "", nats.InProcessServer(p.wire), nats.ReconnectWait(time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	store, err := Open(ctx, conn, Config{})
	if err != nil {
		return err
	}
	source := &okta.Client{Instance: "prod", Origin: simOrigin, Token: pipeline.NewSecret("00secret"), Limit: p.w.limit,
		HTTP: &http.Client{Transport: p.w.org.Transport()}, MaxBody: 2 << 20}
	sink := store.Sink("prod", p.w.query(), nil, p.w.log)
	return (&pipeline.Runner{
		Instance: "prod", Interval: 20 * time.Second, Log: p.w.log.With("poller", p.name),
		Source:  gatedSource{breaker.Wrap("prod", source, nil), &p.gate},
		Sink:    &gatedSink{Sink: sink, gate: &p.gate, amnesia: p.w.trouble.amnesia},
		Backlog: p.backlog(),
	}).Run(ctx)
}

func (w *world) query() Query {
	return Query{Origin: simOrigin, Hash: okta.Query("", w.limit), Since: pipeline.Since{Moment: w.history.since},
		Start: func(since time.Time) pipeline.Link { return okta.Start("", w.limit, since) }}
}

// kill ends the process as SIGKILL does: what it has not sent is not sent.
func (p *poller) kill() {
	p.wire.cut()
	p.stop()
	p.gate.open()
	<-p.done
}

// freeze stops the process for a while; then it goes on with what it knew.
func (p *poller) freeze(d time.Duration) {
	p.gate.close()
	time.AfterFunc(d, p.gate.open)
}

// gate holds a frozen process.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

// gatedSource and gatedSink are where a frozen process stands still: before and
// after each call.
type gatedSource struct {
	pipeline.Source
	gate *gate
}

func (s gatedSource) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	s.gate.pass()
	defer s.gate.pass()
	return s.Source.Poll(ctx, link)
}

type gatedSink struct {
	*Sink
	gate    *gate
	amnesia bool
}

func (s *gatedSink) Sync(ctx context.Context) (pipeline.Position, error) {
	s.gate.pass()
	defer s.gate.pass()
	return s.Sink.Sync(ctx)
}

func (s *gatedSink) Commit(ctx context.Context, at pipeline.Position, page pipeline.Page) (pipeline.Receipt, error) {
	s.gate.pass()
	defer s.gate.pass()
	if s.amnesia && at.DedupeFrom == 0 {
		s.recent = recent{}
	}
	return s.Sink.Commit(ctx, at, page)
}

// wire is a process's way to the server, which may be cut at any write: the
// server has got what was written, the process hears no more of it.
type wire struct {
	server interface{ InProcessConn() (net.Conn, error) }

	mu   sync.Mutex
	conn net.Conn
	left int  // writes until it is cut; negative: it is not
	dead bool // for good
}

// InProcessConn makes a wire fit for nats.InProcessServer.
func (w *wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, errors.New("process is dead")
	}
	conn, err := w.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	w.conn = conn
	return &wiredConn{conn, w}, nil
}

func (w *wire) cutAfter(writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = writes
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// last counts a write and reports whether it is the last one.
func (w *wire) last() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = max(w.left-1, -1)
	return w.left == 0
}

type wiredConn struct {
	net.Conn
	wire *wire
}

func (c *wiredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.wire.last() {
		_ = c.Conn.Close()
	}
	return n, err
}

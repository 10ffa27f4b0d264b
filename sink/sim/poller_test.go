package sim

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
	"github.com/witfoo/signal-client/source/breaker"
)

// poller is a process of the simulation: it has a connection and a memory of
// its own, and loses both when it is killed.
type poller struct {
	name string
	w    *world
	wire *jetstest.Proxy
	gate sinktest.Gate
	asks asks
	wall *wallClock
	stop context.CancelFunc
	done chan struct{}
}

func (w *world) launch(name string) *poller {
	ctx, stop := context.WithCancel(w.Context())
	p := &poller{name: name, w: w, wire: jetstest.NewProxy(w.server), asks: w.asks, wall: w.wallOf(name), stop: stop, done: make(chan struct{})}
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
	conn, err := jets.Connect(ctx, "", nats.InProcessServer(p.wire), p.w.server.AsService(), nats.ReconnectWait(time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	store, err := jets.Open(ctx, conn, jets.Config{Kinds: sinktest.Kinds, MaxAge: p.w.ages})
	if err != nil {
		return err
	}
	source := p.asks.client(p.w)
	clock := &pipeline.Clock{Local: p.wall.Now}
	query := p.asks.query(p.w)
	query.Now = clock.Now
	sink := signals.New(store, "prod", query, nil, p.w.log)
	return (&pipeline.Runner{
		Kind:     "okta",
		Clock:    clock,
		Instance: "prod", Interval: 20 * time.Second, Log: p.w.log.With("poller", p.name),
		Source:  sinktest.GatedSource{Source: breaker.Wrap("prod", source, nil), Gate: &p.gate},
		Sink:    &gatedSink{Sink: sink, gate: &p.gate, amnesia: p.w.trouble.amnesia},
		Backlog: p.backlog(),
		Org:     query.Org,
	}).Run(ctx)
}

func (w *world) query() signals.Query { return w.asks.query(w) }

// kill ends the process as SIGKILL does: what it has not sent is not sent.
func (p *poller) kill() {
	p.wire.Cut(true)
	p.stop()
	p.gate.Open()
	<-p.done
}

// freeze stops the process for a while; then it continues with its old state. Sometimes
// its connection stalls, too, and what it has written arrives when it wakes.
func (p *poller) freeze(d time.Duration) {
	p.gate.Close()
	if p.w.chance(0.5) {
		p.wire.Stall()
	}
	time.AfterFunc(d, func() { p.wire.Heal(); p.gate.Open() })
}

// gatedSink is the same of a sink.
type gatedSink struct {
	*signals.Sink
	gate    *sinktest.Gate
	amnesia bool
}

func (s *gatedSink) Sync(ctx context.Context) (pipeline.Position, error) {
	s.gate.Pass()
	defer s.gate.Pass()
	return s.Sink.Sync(ctx)
}

func (s *gatedSink) Commit(ctx context.Context, at pipeline.Position, page pipeline.Page) (pipeline.Receipt, error) {
	s.gate.Pass()
	defer s.gate.Pass()
	if s.amnesia && at.DedupeFrom == 0 {
		s.ForgetIDs()
	}
	return s.Sink.Commit(ctx, at, page)
}

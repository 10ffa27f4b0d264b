package sim

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/signals"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// moveByHand rewinds or reopens as an operator does, who thinks for a while
// before saying yes, and whose connection is cut at times. Nothing that the org
// serves again may be stored twice.
func (w *world) moveByHand(ctx context.Context) {
	wire := jetstest.NewProxy(w.server)
	conn, err := jets.Connect(ctx, "", w.server.Option(), nats.InProcessServer(wire))
	if err != nil {
		return
	}
	defer conn.Close()
	defer wire.Cut(true)
	o := &signals.Operator{Store: jets.Attach(conn, sinktest.Kind), Instance: "prod", By: "operator", Log: w.log}
	cut, think := w.rng.IntN(12), time.Duration(w.rng.Int64N(int64(5*time.Second)))
	sure := func(m signals.Move) error {
		w.log.Info("by hand", "from", m.From.Seq, "next", m.Next, "again", m.Again)
		time.Sleep(think)
		if cut < 6 {
			wire.CutAfter(1 + cut)
		}
		return nil
	}
	back := w.started.Add(2*time.Hour - time.Duration(w.rng.Int64N(int64(14*time.Hour))))
	switch w.rng.IntN(4) {
	case 0:
		_, err = o.Reopen(ctx, w.query(), back, false, sure)
	case 1:
		_, err = o.Rewind(ctx, signals.Mark{Time: back}, false, sure)
	default:
		_, err = o.Rewind(ctx, signals.Mark{Seq: w.anyPosition(ctx, o)}, w.chance(0.5), sure)
	}
	if errors.Is(err, signals.ErrMovedOn) || errors.Is(err, pipeline.ErrFenced) {
		w.log.Warn("by hand", "err", err)
	}
}

// anyPosition draws one out of the history.
func (w *world) anyPosition(ctx context.Context, o *signals.Operator) uint64 {
	var seqs []uint64
	for step, err := range o.History(ctx) {
		if err != nil {
			break
		}
		seqs = append(seqs, step.Seq)
	}
	if len(seqs) == 0 {
		return 1
	}
	return seqs[w.rng.IntN(len(seqs))]
}

package demo

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/simulated"
	"github.com/witfoo/signal-client/sink/jets"
)

// Audit compares the stream with the orgs' logs: every event once, in order, byte for byte.
func (o demoOrgs) Audit(ctx context.Context, store *jets.Store) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, d := range o.Each {
		if err := audit(ctx, d, store.Conn.JS); err != nil {
			return &problem.Error{Op: "audit " + d.Name, Err: err, Hint: "run the demo again; if it fails again, please report it with its output", Code: problem.Found}
		}
	}
	return nil
}

func audit(ctx context.Context, d *simulated.Org, js jetstream.JetStream) error {
	consumer, err := js.OrderedConsumer(ctx, jets.StreamSignals, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{jets.SubjectEvents(kinds.Default.Name, d.Name)},
	})
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	stored := consumer.CachedInfo().NumPending
	events := d.Events()
	if stored != uint64(len(events)) {
		return fmt.Errorf("the org has %d events, the stream %d", len(events), stored)
	}
	if stored == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	defer messages.Stop()
	for i, e := range events {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read the stream: %w", err)
		}
		if id := m.Headers().Get("ce-id"); id != e.UUID {
			return fmt.Errorf("event %d is %s, but %s in the stream", i+1, e.UUID, id)
		}
		if !bytes.Equal(m.Data(), e.Data) {
			return fmt.Errorf("event %d, %s: its bytes differ", i+1, e.UUID)
		}
	}
	return nil
}

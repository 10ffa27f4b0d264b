package jets

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errIdle: a read received nothing for too long.
var errIdle = errors.New("stream went silent in the middle of a read")

// NextOf returns the next message of a read.
func NextOf(ctx context.Context, msgs jetstream.MessagesContext) (jetstream.Msg, *jetstream.MsgMetadata, error) {
	waiting, cancel := context.WithTimeoutCause(ctx, AckTimeout, errIdle)
	m, err := msgs.Next(jetstream.NextContext(waiting))
	cancel()
	if err != nil {
		return nil, nil, Cause(waiting, err)
	}
	meta, err := m.Metadata()
	return m, meta, err
}

// Forget deletes a consumer of SIGNALS. The client only stops it, and a server allows
// 1,000 per stream (default_max_consumers): a process that starts with as many instances
// would have to wait for its own. Source: nats-server 2.15.2, server/consumer.go; nats.go
// 1.55, jetstream/ordered.go.
func (c *Conn) Forget(ctx context.Context, consumer jetstream.Consumer) {
	if info := consumer.CachedInfo(); info != nil {
		c.ForgetName(ctx, info.Name)
	}
}

// ForgetName is Forget for a consumer that may have been created: the answer to that did
// not come.
func (c *Conn) ForgetName(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	var done struct{}
	_ = c.Ask(ctx, "CONSUMER.DELETE."+StreamSignals+"."+name, nil, &done) // if this fails, it expires later
}

// Count counts the messages on a subject of SIGNALS from a sequence on.
func (c *Conn) Count(ctx context.Context, subject string, from uint64) (uint64, error) {
	ctx, done := c.Epoch(ctx)
	defer done()
	config := FromSequence(from, subject)
	config.HeadersOnly = true
	consumer, err := c.JS.CreateConsumer(ctx, StreamSignals, config)
	if err != nil {
		return 0, Cause(ctx, err)
	}
	defer c.Forget(ctx, consumer)
	return consumer.CachedInfo().NumPending, nil
}

// IdleTime is how long an unused consumer stays.
const IdleTime = time.Minute

// FromSequence configures a short-lived consumer of SIGNALS; no subjects means all.
func FromSequence(from uint64, subjects ...string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: IdleTime,
	}
}

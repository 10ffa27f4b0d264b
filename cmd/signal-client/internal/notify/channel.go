package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// channel sends the notifications of one channel, one after another: one that hangs or
// fails delays no other channel.
type channel struct {
	notifier *Notifier
	queue    chan task
}

// task is an advisory that a rule sends to a channel.
type task struct {
	to       buckets.Channel
	rule     buckets.Rule
	advisory Advisory
}

// run sends until ctx ends.
func (c *channel) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-c.queue:
			c.notify(ctx, t)
		}
	}
}

// notify claims a notification, tries to send it and records what became of it.
func (c *channel) notify(ctx context.Context, t task) {
	n, a := c.notifier, t.advisory
	one := buckets.Notification{Rule: t.rule.Name, Channel: t.to.Name, Kind: a.Kind, Instance: a.Instance,
		Severity: a.Severity, Message: a.Message, Replica: n.replica()}
	claim, err := n.stored.Claim(ctx, one, t.rule.Silence())
	if err != nil {
		if !errors.Is(err, pipeline.ErrChanged) { // another process sends it, or the cooldown runs
			n.lost(a, "channel", t.to.Name, "err", err)
		}
		return
	}
	for one.Tries = 1; ; one.Tries++ {
		_, err := Send(ctx, n.http, t.to, a)
		switch {
		case err == nil:
			c.record(ctx, one, &claim, buckets.NotifySent, nil)
			return
		case one.Tries > len(n.pauses):
			c.giveUp(ctx, one, &claim, err)
			return
		}
		c.record(ctx, one, &claim, buckets.NotifyRetrying, err)
		if pipeline.Sleep(ctx, n.pauses[one.Tries-1]) != nil {
			c.giveUp(ctx, one, &claim, fmt.Errorf("the process ended before the next attempt; the last error: %w", err))
			return
		}
	}
}

// record writes a result. If that fails, what was recorded before stays.
func (c *channel) record(ctx context.Context, one buckets.Notification, claim *buckets.Claim, result string, why error) {
	one.Result = result
	if why != nil {
		one.Why = why.Error()
	}
	if err := c.notifier.stored.Record(ctx, one, claim); err != nil {
		c.notifier.log.Debug("what became of a notification is not recorded", "channel", one.Channel, "err", err)
	}
}

// failGrace bounds the last record of a process that ends.
const failGrace = time.Second

// giveUp records that a notification failed, also at the end of the process: then the
// next one of its kind is sent.
func (c *channel) giveUp(ctx context.Context, one buckets.Notification, claim *buckets.Claim, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failGrace)
	defer cancel()
	c.notifier.log.Warn("a notification is given up", "channel", one.Channel, "kind", one.Kind, "instance", one.Instance, "err", why)
	c.record(ctx, one, claim, buckets.NotifyFailed, why)
}

package jets

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Own returns ErrForeignAck unless the acknowledgement of a publish came from our stream
// for that subject.
//
// If leaf nodes, imports or mappings carry messages to another site that takes the same
// subjects, each stream answers, and the first answer is read. An answer of the other
// stream says nothing about ours: the outcome is in doubt, and a sync resolves it.
// JetStream's API and the buckets' subjects don't cross leaf nodes (server/leafnode.go,
// nats-server 2.15.2): a sync always reads our own stream.
func (c *Conn) Own(subject, stream, domain string) error {
	wanted, own := streamOf(subject), c.domain.Load()
	if wanted == "" || own == nil {
		return nil
	}
	if stream == wanted && domain == *own {
		return nil
	}
	c.foreign.Do(func() {
		c.log.Error("nats: another site takes messages published here: deny signals.>, signal-cursor.> and deadletter.> on the line between them, or use different instance names",
			"subject", subject, "stream", stream, "domain", domain, "own_domain", *own)
	})
	return fmt.Errorf("stream %s of domain %q, not %s of %q: %w", stream, domain, wanted, *own, ErrForeignAck)
}

// streamOf returns our stream for a subject; empty: none.
func streamOf(subject string) string {
	if _, key, found := strings.Cut(subject, "$KV."); found { // maybe after a domain's prefix
		bucket, _, _ := strings.Cut(key, ".")
		return BucketStream(bucket)
	}
	switch first, _, _ := strings.Cut(subject, "."); first {
	case "signals", "signal-cursor":
		return StreamSignals
	case "deadletter":
		return StreamDeadLetter
	}
	return ""
}

// takersWait is how long Takers waits for another stream's answer.
const takersWait = 500 * time.Millisecond

// Takers returns the names of the streams that take messages on a subject: more than one
// if another site receives them, too. It publishes a message that every stream refuses. A
// user without permission to publish there gets no answer.
func (c *Conn) Takers(ctx context.Context, subject string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, takersWait)
	defer cancel()
	answers, err := c.NATS.SubscribeSync(c.NATS.NewInbox())
	if err != nil {
		return nil, err
	}
	defer func() { _ = answers.Unsubscribe() }()
	err = c.NATS.PublishMsg(&nats.Msg{Subject: subject, Reply: answers.Subject, Header: nats.Header{"Nats-Expected-Stream": {"none"}}})
	if err != nil {
		return nil, err
	}
	var takers []string
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return takers, nil // its time is up
		}
		var answer struct{ Stream string }
		if json.Unmarshal(m.Data, &answer) == nil && answer.Stream != "" {
			takers = append(takers, answer.Stream)
		}
	}
}

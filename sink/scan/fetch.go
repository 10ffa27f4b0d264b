package scan

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/witfoo/signal-client/sink/jets"
)

// Sizes of a lane's requests.
const (
	leastAsked  = 32 // messages per answer
	mostAsked   = 512
	answerBytes = 1 << 20 // and at most one message more, which then is read from the leader
	answerTime  = 5 * time.Second
)

// errGap: an answer did not arrive completely.
var errGap = errors.New("a message of the answer did not arrive")

// enter creates the consumer for the rest of the partition.
func (l *lane) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, jets.RequestTimeout)
	defer cancel()
	config := jets.FromSequence(l.at, l.filters...)
	config.Name = nuid.Next()
	consumer, err := l.conn.JS.CreateConsumer(ctx, jets.StreamSignals, config)
	if err != nil {
		if ctx.Err() != nil {
			l.conn.ForgetName(ctx, config.Name)
		}
		return l.refusalOr("CREATE", err)
	}
	l.consumer, l.used = consumer, time.Now()
	l.asked, l.brought, l.pending = 0, 0, consumer.CachedInfo().NumPending
	return nil
}

func (l *lane) leave(ctx context.Context) {
	if l.consumer != nil {
		l.conn.Forget(ctx, l.consumer)
		l.consumer = nil
	}
}

// ration returns how many messages to request: few at first, then twice as many each
// time, but at most half of what the rest of the partition probably holds, because messages
// beyond the partition are sent for nothing.
func (l *lane) ration() int {
	rest := float64(l.partition.through - l.at + 1)
	likely := uint64(math.Ceil(rest * l.share / 2))
	l.asked = min(max(likely, leastAsked), max(2*l.asked, leastAsked), mostAsked)
	return int(min(l.asked, l.pending))
}

// fetch requests the next messages and returns how many came. None is no error: the
// consumer's replica may have no more, or the next message is too large.
func (l *lane) fetch(ctx context.Context, want int) (came int, err error) {
	if want == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	answer, err := l.consumer.Fetch(want, jetstream.FetchContext(ctx), jetstream.FetchMaxBytes(answerBytes))
	if err != nil {
		return 0, err
	}
	for m := range answer.Messages() {
		if err := l.take(m); err != nil {
			return came, err
		}
		if came++; l.at > l.partition.through {
			return came, nil
		}
	}
	l.used = time.Now()
	err = answer.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	if came == 0 {
		err = l.refusalOr("MSG.NEXT", err)
	}
	return came, err
}

// refusalOr returns the server's permission error about a request to a consumer, else err.
func (l *lane) refusalOr(request string, err error) error {
	denied := l.conn.Denied(func(subject string) bool { return strings.Contains(subject, ".CONSUMER."+request+".") })
	return cmp.Or(denied, err)
}

package jets

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a lane asks for.
const (
	leastAsked  = 32 // messages of an answer
	mostAsked   = 512
	answerBytes = 1 << 20 // and one message more at most: by itself it comes from the leader
	answerTime  = 5 * time.Second
)

// errGap: what was sent did not all arrive.
var errGap = errors.New("a message of the answer did not arrive")

// enter makes the consumer of what is left of the part.
func (l *lane) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	consumer, err := l.conn.JS.CreateConsumer(ctx, StreamSignals, fromSequence(l.at, l.filters...))
	if err != nil {
		return l.refusalOr("CREATE", err)
	}
	l.consumer, l.used = consumer, time.Now()
	l.asked, l.brought, l.pending = 0, 0, consumer.CachedInfo().NumPending
	return nil
}

// leave deletes the consumer.
func (l *lane) leave(ctx context.Context) {
	if l.consumer != nil {
		l.conn.forget(ctx, l.consumer)
		l.consumer = nil
	}
}

// ration is how many messages to ask for: few at first, then twice as many each
// time, but half of what the rest of the part is likely to hold. What is sent from
// behind the part is sent for nothing.
func (l *lane) ration() int {
	rest := float64(l.part.through - l.at + 1)
	likely := uint64(math.Ceil(rest * l.share / 2))
	l.asked = min(max(likely, leastAsked), max(2*l.asked, leastAsked), mostAsked)
	return int(min(l.asked, l.pending))
}

// fetch asks for the next messages and returns how many came. None is no error: the
// consumer's copy of the stream may have no more, or the next one is too large.
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
		if came++; l.at > l.part.through {
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

// refusalOr is why the server does not answer a request about a consumer, if the
// reason is a missing permission, or else err.
func (l *lane) refusalOr(request string, err error) error {
	refusal := l.conn.NATS.LastError()
	if errors.Is(refusal, nats.ErrPermissionViolation) && strings.Contains(refusal.Error(), ".CONSUMER."+request+".") {
		return refusal
	}
	return err
}

// idleTime is how long a consumer that nobody asks stays.
const idleTime = time.Minute

// fromSequence is a consumer of SIGNALS from a sequence on, for a moment: of a few
// subjects, or of none, which is all.
func fromSequence(from uint64, subjects ...string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: idleTime,
	}
}

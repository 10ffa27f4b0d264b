package jets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of an event that is published again.
const (
	headerReplay   = "Signal-Replay"   // the replay's id
	headerSubject  = "Signal-Subject"  // where it was published first
	headerSequence = "Signal-Sequence" // and its sequence in SIGNALS
)

var (
	// ErrOwnSubject refuses a subject that leads back into SIGNALS, or into
	// what else signal-client keeps.
	ErrOwnSubject = errors.New("the subject leads back into what signal-client keeps")
	// ErrSubject refuses what is no subject to publish to.
	ErrSubject = errors.New("it is no subject to publish to")
)

// InstanceMark in the subject of a Target stands for the event's instance.
const InstanceMark = "{instance}"

// Target says where events are published again.
type Target struct {
	Subject string // with InstanceMark or without
	ID      string // of the replay: the value of Signal-Replay
}

// republishWindow is how many events, and bytes of them, wait for acks.
const (
	republishWindow = 256
	republishBytes  = 8 << 20
)

// Republisher publishes stored events again, in order. It is for one goroutine.
//
// An event is published again with its headers, but those of NATS, and with
// Signal-Replay, Signal-Subject and Signal-Sequence. A stream that takes the subject
// acknowledges each; without one they go to whoever listens, and nobody says so.
// Nats-Msg-Id is made of the replay's id and the sequence: whoever goes on under
// the same id within the stream's duplicate window doubles nothing. When an ack is
// lost, what has none is published again, which may change the order there.
type Republisher struct {
	Streams []string // that take the subject; none: nothing keeps what is published

	conn    *Conn
	target  Target
	waiting []*nats.Msg
	bytes   int
}

// Republisher checks the target. It returns ErrSubject or ErrOwnSubject.
func (s *Store) Republisher(ctx context.Context, t Target) (*Republisher, error) {
	pattern := strings.ReplaceAll(t.Subject, InstanceMark, "*")
	if !publishable(pattern, t.Subject) {
		return nil, ErrSubject
	}
	r := &Republisher{conn: s.Conn, target: t}
	for _, own := range []string{"signals.>", "signal-cursor.>", "deadletter.>", "signal-client.>"} {
		if meet(pattern, own) {
			return nil, fmt.Errorf("%w: %s", ErrOwnSubject, own)
		}
	}
	streams := map[string]jetstream.StreamConfig{}
	infos := s.Conn.JS.ListStreams(ctx)
	for i := range infos.Info() {
		streams[i.Config.Name] = i.Config
	}
	if err := infos.Err(); err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	for name, c := range streams {
		if !slices.ContainsFunc(c.Subjects, func(taken string) bool { return meet(pattern, taken) }) {
			continue
		}
		if way := intoSignals(streams, name); way != "" {
			return nil, fmt.Errorf("%w: %s", ErrOwnSubject, way)
		}
		r.Streams = append(r.Streams, name)
	}
	slices.Sort(r.Streams)
	return r, nil
}

// publishable reports whether the subject is one for events: literal, but for
// the mark as a whole token, and none of NATS's own.
func publishable(pattern, subject string) bool {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || token != InstanceMark && strings.ContainsAny(token, "*>{} \t\r\n") {
			return false
		}
	}
	return !strings.HasPrefix(pattern, "$") && !strings.HasPrefix(pattern, "_") && !strings.HasPrefix(pattern, "*")
}

// intoSignals says on which way what a stream takes comes into SIGNALS; empty:
// on none.
func intoSignals(streams map[string]jetstream.StreamConfig, name string) string {
	if name == StreamSignals {
		return "stream " + name + " takes it"
	}
	for _, source := range streams[StreamSignals].Sources {
		if source.Name == name {
			return "stream " + StreamSignals + " copies from " + name
		}
	}
	if again := streams[name].RePublish; again != nil {
		for _, taken := range streams[StreamSignals].Subjects {
			if meet(strings.NewReplacer("{{", "", "}}", "").Replace(again.Destination), taken) {
				return "stream " + name + " publishes it again on " + again.Destination
			}
		}
	}
	return ""
}

// meet reports whether some subject matches both patterns.
func meet(a, b string) bool {
	p, q := strings.Split(a, "."), strings.Split(b, ".")
	for i := range p {
		switch {
		case i >= len(q):
			return false
		case p[i] == ">" || q[i] == ">":
			return true
		case p[i] != "*" && q[i] != "*" && p[i] != q[i]:
			return false
		}
	}
	return len(p) == len(q)
}

// Publish publishes an event, now or with those that follow. Its errors are
// Flush's.
func (r *Republisher) Publish(ctx context.Context, e *Stored) error {
	m := r.message(e)
	r.waiting = append(r.waiting, m)
	if r.bytes += m.Size(); len(r.waiting) < republishWindow && r.bytes < republishBytes {
		return nil
	}
	return r.Flush(ctx)
}

func (r *Republisher) message(e *Stored) *nats.Msg {
	subject := strings.ReplaceAll(r.target.Subject, InstanceMark, e.Instance)
	m := &nats.Msg{Subject: subject, Header: nats.Header{}, Data: e.Data}
	for name, values := range e.Header {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") { // they would be orders to the server
			m.Header[name] = values
		}
	}
	seq := strconv.FormatUint(e.Seq, 10)
	m.Header[headerReplay] = []string{r.target.ID}
	m.Header[headerSubject] = []string{SubjectEvents(e.Instance)}
	m.Header[headerSequence] = []string{seq}
	if len(r.Streams) > 0 {
		m.Header[headerMsgID] = []string{r.target.ID + "." + seq}
	}
	return m
}

// Flush returns when all that was published is acknowledged, or, where no stream
// takes it, sent. While NATS is away it waits. After an error Waiting events may
// have been stored or not.
func (r *Republisher) Flush(ctx context.Context) error {
	backoff := retryWait()
	for len(r.waiting) > 0 {
		err := r.send(ctx)
		if err == nil {
			break
		}
		if !passing(err) || ctx.Err() != nil {
			return err
		}
		if err := sleepUntilUp(ctx, r.conn, backoff.Next()); err != nil {
			return err
		}
	}
	r.bytes = 0
	return ctx.Err()
}

// Waiting is the sequence of the first event without an ack; 0: all have one.
func (r *Republisher) Waiting() uint64 {
	if len(r.waiting) == 0 {
		return 0
	}
	seq, _ := strconv.ParseUint(r.waiting[0].Header[headerSequence][0], 10, 64) // written above
	return seq
}

// send sends what waits and keeps what got no ack.
func (r *Republisher) send(ctx context.Context) error {
	ctx, done := r.conn.Epoch(ctx)
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, 2*ackTimeout, nats.ErrTimeout)
	defer cancel()
	if len(r.Streams) == 0 {
		return r.sendCore(ctx)
	}
	var acks []jetstream.PubAckFuture
	var failed error
	for _, m := range r.waiting {
		ack, err := r.conn.JS.PublishMsgAsync(m, jetstream.WithStallWait(ackTimeout))
		if err != nil {
			failed = err
			break
		}
		acks = append(acks, ack)
	}
	kept := r.waiting[len(acks):]
	for n, ack := range slices.Backward(acks) {
		select {
		case <-ack.Ok():
			continue
		case err := <-ack.Err():
			failed = err
		case <-ctx.Done():
			failed = context.Cause(ctx)
		}
		kept = append([]*nats.Msg{r.waiting[n]}, kept...)
	}
	r.waiting = kept
	return failed
}

// sendCore publishes what waits. When the connection drops before the server has said
// that all of it arrived, all is published again: a listener may hear events twice.
func (r *Republisher) sendCore(ctx context.Context) error {
	for _, m := range r.waiting {
		if err := r.conn.NATS.PublishMsg(m); err != nil {
			return err
		}
	}
	err := r.conn.NATS.FlushWithContext(ctx)
	if errors.Is(err, nats.ErrConnectionClosed) && !r.conn.NATS.IsClosed() {
		err = ErrDisconnected // while it waited: what was on the way may be lost
	}
	if err != nil {
		return cause(ctx, err)
	}
	r.waiting = nil
	return nil
}

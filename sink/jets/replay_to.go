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
	// ErrTarget refuses streams that can't acknowledge all that would be published.
	ErrTarget = errors.New("not every event would be acknowledged")
	// ErrRefused: the stream does not take an event, and would not if it came again.
	ErrRefused = errors.New("refused")
)

// InstanceMark in the subject of a Target stands for the event's instance.
const InstanceMark = "{instance}"

// Target says where events are published again.
type Target struct {
	Subject   string   // with InstanceMark or without
	ID        string   // of the replay: the value of Signal-Replay
	Instances []string // whose events may come: the streams must take those of all, or of none

	// Held is told what Flush waits for: why an event has no ack yet, each time that
	// it is sent, and with nil that all is acknowledged. nil: not told.
	Held func(error)
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
	most    int  // bytes of a message that every stream takes; 0: any
	bounded bool // a stream refuses what does not fit, and nobody takes out what is there
	waiting []*nats.Msg
	bytes   int
}

// NewRepublisher checks the target. It returns ErrSubject, ErrOwnSubject or ErrTarget.
func NewRepublisher(ctx context.Context, conn *Conn, t Target) (*Republisher, error) {
	pattern := strings.ReplaceAll(t.Subject, InstanceMark, "*")
	if !publishable(pattern, t.Subject) {
		return nil, ErrSubject
	}
	r := &Republisher{conn: conn, target: t}
	for _, own := range []string{"signals.>", "signal-cursor.>", "deadletter.>", "signal-client.>"} {
		if meet(pattern, own) {
			return nil, fmt.Errorf("%w: %s", ErrOwnSubject, own)
		}
	}
	streams := map[string]jetstream.StreamConfig{}
	infos := conn.JS.ListStreams(ctx)
	for i := range infos.Info() {
		streams[i.Config.Name] = i.Config
	}
	if err := infos.Err(); err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	subjects := t.subjects()
	for name, c := range streams {
		if !takes(c, pattern) {
			continue
		}
		if way := intoSignals(streams, name); way != "" {
			return nil, fmt.Errorf("%w: %s", ErrOwnSubject, way)
		}
		if !slices.ContainsFunc(subjects, func(s string) bool { return takes(c, s) }) {
			continue
		}
		if c.NoAck {
			return nil, fmt.Errorf("%w: stream %s acknowledges nothing (no_ack)", ErrTarget, name)
		}
		r.add(c)
	}
	for _, s := range subjects {
		taken := func(name string) bool { return takes(streams[name], s) }
		if len(r.Streams) > 0 && !slices.ContainsFunc(r.Streams, taken) {
			return nil, fmt.Errorf("%w: no stream takes %s", ErrTarget, s)
		}
	}
	slices.Sort(r.Streams)
	return r, nil
}

// subjects are those on which events may come.
func (t Target) subjects() []string {
	if len(t.Instances) == 0 || !strings.Contains(t.Subject, InstanceMark) {
		return []string{strings.ReplaceAll(t.Subject, InstanceMark, "*")}
	}
	var list []string
	for _, instance := range t.Instances {
		list = append(list, strings.ReplaceAll(t.Subject, InstanceMark, instance))
	}
	return list
}

// takes reports whether a stream takes a subject, or one of a pattern.
func takes(c jetstream.StreamConfig, pattern string) bool {
	return slices.ContainsFunc(c.Subjects, func(taken string) bool { return meet(pattern, taken) })
}

// add notes a stream that takes events.
func (r *Republisher) add(c jetstream.StreamConfig) {
	r.Streams = append(r.Streams, c.Name)
	if most := int(c.MaxMsgSize); most > 0 && (r.most == 0 || most < r.most) {
		r.most = most
	}
	if c.Discard == jetstream.DiscardNew && c.Retention == jetstream.LimitsPolicy {
		r.bounded = true
	}
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
// Flush's, and the event is among those that wait then.
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
// takes it, sent. While NATS is away it waits, and while a stream is full that its
// consumers empty. It returns ErrRefused with the stream's reason where waiting does
// not help. After an error Waiting events may have been stored or not.
func (r *Republisher) Flush(ctx context.Context) error {
	backoff := retryWait()
	for len(r.waiting) > 0 {
		err := r.send(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		if denied := r.denied(); denied != nil {
			err = denied
		}
		if r.lasting(err) {
			return r.refusal(err)
		}
		r.tell(err)
		if err := sleepUntilUp(ctx, r.conn, backoff.Next()); err != nil {
			return err
		}
	}
	r.tell(nil)
	r.bytes = 0
	return ctx.Err()
}

func (r *Republisher) tell(err error) {
	if r.target.Held != nil {
		r.target.Held(err)
	}
}

// lasting reports whether an event would be refused if it came again.
func (r *Republisher) lasting(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeStoreFailed {
		return r.bounded
	}
	return !passing(err)
}

// refusal is the error of the first event that waits.
func (r *Republisher) refusal(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		err = &apiError{int(api.ErrorCode), api.Description}
	} else if !errors.Is(err, errMessageSize) {
		return fmt.Errorf("publish sequence %d: %w", r.Waiting(), err)
	}
	return fmt.Errorf("sequence %d: %w by %s: %w", r.Waiting(), ErrRefused, strings.Join(r.Streams, ", "), err)
}

// denied is the server's word that this user must not publish what waits, which
// nothing else tells; nil: there is none.
func (r *Republisher) denied() error {
	refusal := r.conn.NATS.LastError()
	if !errors.Is(refusal, nats.ErrPermissionViolation) {
		return nil
	}
	if slices.ContainsFunc(r.waiting, func(m *nats.Msg) bool { return strings.Contains(refusal.Error(), strconv.Quote(m.Subject)) }) {
		return refusal
	}
	return nil
}

// Waiting is the sequence of the first event without an ack; 0: all have one.
func (r *Republisher) Waiting() uint64 {
	if len(r.waiting) == 0 {
		return 0
	}
	seq, _ := strconv.ParseUint(r.waiting[0].Header[headerSequence][0], 10, 64) // written above
	return seq
}

// Unacknowledged is how many events have no ack.
func (r *Republisher) Unacknowledged() int { return len(r.waiting) }

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
		if size := m.Size() - len(m.Subject); r.most > 0 && size > r.most { // so that nothing behind it is stored before it
			failed = fmt.Errorf("%w: %d bytes with its headers, max_msg_size is %d", errMessageSize, size, r.most)
			break
		}
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
	if err := r.denied(); err != nil {
		return err
	}
	r.waiting = nil
	return nil
}

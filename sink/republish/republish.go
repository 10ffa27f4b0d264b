// Package republish publishes stored events again on other subjects, in order, each
// acknowledged if a stream takes the subject.
//
// The events come from package scan.
//
// Start reading at [Republisher.Publish].
package republish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// Headers of a republished event.
const (
	headerReplay   = "Signal-Replay"   // the replay's id
	headerSubject  = "Signal-Subject"  // the subject it was first published on
	headerSequence = "Signal-Sequence" // its sequence in SIGNALS
)

var (
	// ErrOwnSubject refuses a subject that leads back into a stream of signal-client.
	ErrOwnSubject = errors.New("the subject leads back into a stream of signal-client")
	// ErrSubject refuses an invalid subject.
	ErrSubject = errors.New("it is not a subject to publish to")
	// ErrTarget refuses streams that can't acknowledge every event.
	ErrTarget = errors.New("not every event would be acknowledged")
	// ErrRefused: the stream refuses an event, and would refuse it again.
	ErrRefused = errors.New("refused")
)

// InstanceMark, in a Target's subject, is replaced by the event's instance.
const InstanceMark = "{instance}"

// Target is where events are republished.
type Target struct {
	Subject   string   // with or without InstanceMark
	ID        string   // the replay's id, in Signal-Replay
	Instances []string // instances whose events may come: streams must take the subjects of all, or of none

	// Done, unless nil, is called for each event, in order, once it and all before it are
	// acknowledged or, if no stream takes the subject, sent.
	Done func(*scan.Stored)

	// Held, unless nil, is called with the reason why Flush waits, after each attempt,
	// and with nil when everything is acknowledged.
	Held func(error)
}

// Limits of what waits for acks: events and bytes.
const (
	republishWindow = 256
	republishBytes  = 8 << 20
)

// Republisher republishes stored events in order. It is not safe for concurrent use.
//
// An event is published with its headers, except those of NATS, and with Signal-Replay,
// Signal-Subject and Signal-Sequence. If a stream takes the subject, it acknowledges each
// event; without one, subscribers get them and nothing confirms it. Nats-Msg-Id consists
// of the replay's id and the sequence: a replay that continues under the same id within
// the stream's duplicate window doubles nothing. When an ack is lost, unacknowledged
// events are published again, which may change their order in the target.
type Republisher struct {
	Streams []string // streams that take the subject; none: published events are not stored

	conn    *jets.Conn
	target  Target
	most    int        // largest message that every stream takes; 0: any
	bounded bool       // a full stream refuses messages, and nobody removes old ones
	waiting []outgoing // from the first event that may not be stored
	bytes   int
}

// outgoing is a published event.
type outgoing struct {
	e      *scan.Stored
	msg    *nats.Msg
	stored bool // an earlier one may not be
}

// New checks the target. It returns ErrSubject, ErrOwnSubject or ErrTarget.
func New(ctx context.Context, conn *jets.Conn, t Target) (*Republisher, error) {
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

// subjects returns the subjects on which events may be published.
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

// takes reports whether a stream takes a subject, or any subject of a pattern.
func takes(c jetstream.StreamConfig, pattern string) bool {
	return slices.ContainsFunc(c.Subjects, func(taken string) bool { return meet(pattern, taken) })
}

func (r *Republisher) add(c jetstream.StreamConfig) {
	r.Streams = append(r.Streams, c.Name)
	if most := int(c.MaxMsgSize); most > 0 && (r.most == 0 || most < r.most) {
		r.most = most
	}
	if c.Discard == jetstream.DiscardNew && c.Retention == jetstream.LimitsPolicy {
		r.bounded = true
	}
}

// publishable reports whether a subject is valid for events: literal, except for the mark
// as a whole token, and not NATS's own.
func publishable(pattern, subject string) bool {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || token != InstanceMark && strings.ContainsAny(token, "*>{} \t\r\n") {
			return false
		}
	}
	return !strings.HasPrefix(pattern, "$") && !strings.HasPrefix(pattern, "_") && !strings.HasPrefix(pattern, "*")
}

// intoSignals returns how messages of a stream get into SIGNALS; empty: they don't.
func intoSignals(streams map[string]jetstream.StreamConfig, name string) string {
	if name == jets.StreamSignals {
		return "stream " + name + " takes it"
	}
	for _, source := range streams[jets.StreamSignals].Sources {
		if source.Name == name {
			return "stream " + jets.StreamSignals + " copies from " + name
		}
	}
	if again := streams[name].RePublish; again != nil {
		for _, taken := range streams[jets.StreamSignals].Subjects {
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

// Publish publishes an event, now or together with the following ones. Its errors are
// Flush's; the event then still waits.
func (r *Republisher) Publish(ctx context.Context, e *scan.Stored) error {
	m := r.message(e)
	r.waiting = append(r.waiting, outgoing{e: e, msg: m})
	if r.bytes += m.Size(); len(r.waiting) < republishWindow && r.bytes < republishBytes {
		return nil
	}
	return r.Flush(ctx)
}

func (r *Republisher) message(e *scan.Stored) *nats.Msg {
	subject := strings.ReplaceAll(r.target.Subject, InstanceMark, e.Instance)
	m := &nats.Msg{Subject: subject, Header: nats.Header{}, Data: e.Data}
	for name, values := range e.Header {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") { // they would be instructions to the server
			m.Header[name] = values
		}
	}
	seq := strconv.FormatUint(e.Seq, 10)
	m.Header[headerReplay] = []string{r.target.ID}
	m.Header[headerSubject] = []string{jets.SubjectEvents(e.Kind.Name, e.Instance)}
	m.Header[headerSequence] = []string{seq}
	if len(r.Streams) > 0 {
		m.Header[jets.HeaderMsgID] = []string{r.target.ID + "." + seq}
	}
	return m
}

// Flush returns when everything published is acknowledged or, if no stream takes it,
// sent. It waits while NATS is away, and while a stream is full that its consumers empty.
// If waiting does not help, it returns ErrRefused with the stream's reason. After an
// error the Waiting events may have been stored or not.
func (r *Republisher) Flush(ctx context.Context) error {
	backoff := scan.RetryWait()
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
		if err := scan.SleepUntilUp(ctx, r.conn, backoff.Next()); err != nil {
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

// lasting reports whether an event would be refused again.
func (r *Republisher) lasting(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jets.CodeStoreFailed {
		return r.bounded
	}
	return !scan.Passing(err)
}

// refusal returns the error of the first waiting event.
func (r *Republisher) refusal(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		err = &jets.APIError{ErrCode: int(api.ErrorCode), Description: api.Description}
	} else if !errors.Is(err, jets.ErrMessageSize) {
		return fmt.Errorf("publish sequence %d: %w", r.Waiting(), err)
	}
	return fmt.Errorf("sequence %d: %w by %s: %w", r.Waiting(), ErrRefused, strings.Join(r.Streams, ", "), err)
}

// denied returns the server's refusal to let this user publish; nil: none.
func (r *Republisher) denied() error {
	return r.conn.Denied(func(subject string) bool {
		return slices.ContainsFunc(r.waiting, func(o outgoing) bool { return o.msg.Subject == subject })
	})
}

// Waiting returns the sequence of the first event that may not be stored; 0: none.
func (r *Republisher) Waiting() uint64 {
	if len(r.waiting) == 0 {
		return 0
	}
	return r.waiting[0].e.Seq
}

// StoredBeyond returns how many events after the first waiting one are stored already.
func (r *Republisher) StoredBeyond() int {
	n := 0
	for _, o := range r.waiting {
		if o.stored {
			n++
		}
	}
	return n
}

// send publishes what waits.
func (r *Republisher) send(ctx context.Context) error {
	ctx, done := r.conn.Epoch(ctx)
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, 2*jets.AckTimeout, nats.ErrTimeout)
	defer cancel()
	if len(r.Streams) == 0 {
		return r.sendCore(ctx)
	}
	var sent []*outgoing
	var acks []jetstream.PubAckFuture
	var failed error
	for i := range r.waiting {
		o := &r.waiting[i]
		if o.stored {
			continue
		}
		m := o.msg
		if size := m.Size() - len(m.Subject); r.most > 0 && size > r.most { // so that no later event is stored before it
			failed = fmt.Errorf("%w: %d bytes with its headers, max_msg_size is %d", jets.ErrMessageSize, size, r.most)
			break
		}
		ack, err := r.conn.JS.PublishMsgAsync(m, jetstream.WithStallWait(jets.AckTimeout))
		if err != nil {
			failed = err
			break
		}
		sent, acks = append(sent, o), append(acks, ack)
	}
	for n, ack := range slices.Backward(acks) {
		select {
		case <-ack.Ok():
			sent[n].stored = true
		case err := <-ack.Err():
			failed = err
		case <-ctx.Done():
			failed = context.Cause(ctx)
		}
	}
	r.settle()
	return failed
}

// settle reports the events before the first one that may not be stored.
func (r *Republisher) settle() {
	n := 0
	for ; n < len(r.waiting) && r.waiting[n].stored; n++ {
		if r.target.Done != nil {
			r.target.Done(r.waiting[n].e)
		}
	}
	r.waiting = slices.Delete(r.waiting, 0, n)
}

// sendCore publishes what waits, without acks. If the connection drops before the server
// confirms it, all is published again: a subscriber may get events twice.
func (r *Republisher) sendCore(ctx context.Context) error {
	for _, o := range r.waiting {
		if err := r.conn.NATS.PublishMsg(o.msg); err != nil {
			return err
		}
	}
	err := r.conn.NATS.FlushWithContext(ctx)
	if errors.Is(err, nats.ErrConnectionClosed) && !r.conn.NATS.IsClosed() {
		err = jets.ErrDisconnected // it reconnected while flushing: messages may be lost
	}
	if err != nil {
		return jets.Cause(ctx, err)
	}
	if err := r.denied(); err != nil {
		return err
	}
	for i := range r.waiting {
		r.waiting[i].stored = true
	}
	r.settle()
	return nil
}

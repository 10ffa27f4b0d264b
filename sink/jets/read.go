package jets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoMessage: there is no such message.
var ErrNoMessage = errors.New("no such message")

// RawMsg is a stored message.
type RawMsg struct {
	Subject string
	Seq     uint64
	Header  nats.Header // nil: none
	Data    []byte
	Time    time.Time // when the server stored it
}

// Request sends msg and waits for the answer, at most 5 s unless ctx has a deadline. It
// returns ErrDisconnected as soon as the connection drops: the request may have been
// carried out or not.
func (c *Conn) Request(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := withLimit(ctx)
	defer cancel()
	ctx, done := c.Epoch(ctx)
	defer done()
	answer, err := c.NATS.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return nil, Cause(ctx, err)
	}
	return answer, nil
}

// withLimit gives ctx a deadline, unless it has one.
func withLimit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, RequestTimeout)
}

// Cause replaces a context's error by its cause.
func Cause(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return err
}

// Last reads the newest message on a subject from the stream's leader. It returns
// ErrNoMessage if there is none. A direct get, and so kv.Get, may be answered by a stale
// replica (2.5 % of reads straight after an ack were, measured with nats-server 2.15.2,
// 2026-08), so it is never used for decisions.
func (c *Conn) Last(ctx context.Context, stream, subject string) (*RawMsg, error) {
	m, err := c.Read(ctx, stream, map[string]any{"last_by_subj": subject})
	if err != nil {
		return nil, fmt.Errorf("read the newest of %s in %s: %w", subject, stream, err)
	}
	return m, nil
}

// At reads the message at a sequence from the stream's leader; ErrNoMessage: there is none.
func (c *Conn) At(ctx context.Context, stream string, seq uint64) (*RawMsg, error) {
	if seq == 0 {
		return nil, fmt.Errorf("read message 0 of %s: %w", stream, ErrNoMessage)
	}
	m, err := c.Read(ctx, stream, map[string]any{"seq": seq})
	if err != nil {
		return nil, fmt.Errorf("read message %d of %s: %w", seq, stream, err)
	}
	return m, nil
}

// Read requests one message from the stream's leader; ErrNoMessage: there is none.
func (c *Conn) Read(ctx context.Context, stream string, what map[string]any) (*RawMsg, error) {
	var answer struct {
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	if err := c.Ask(ctx, "STREAM.MSG.GET."+stream, what, &answer); err != nil {
		return nil, err
	}
	m := answer.Message
	if m == nil {
		return nil, ErrNoMessage
	}
	raw := &RawMsg{Subject: m.Subject, Seq: m.Seq, Data: m.Data, Time: m.Time}
	if len(m.Header) == 0 {
		return raw, nil
	}
	var err error
	raw.Header, err = nats.DecodeHeadersMsg(m.Header)
	return raw, err
}

// askAgain is when a request is sent again. A request to a stream that has lost its
// leader is lost, and waiting for its answer would find the next leader late.
const askAgain = time.Second

// insist is Request for one that may be sent more than once: until one answer arrives.
func (c *Conn) insist(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := withLimit(ctx)
	defer cancel()
	first, stop := context.WithTimeout(ctx, askAgain)
	answer, err := c.Request(first, msg)
	stop()
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return answer, err
	}
	if denied := c.DeniedOn(msg.Subject); denied != nil {
		return nil, denied // nobody will answer
	}
	ctx, done := c.Epoch(ctx)
	defer done()
	msg.Reply = c.NATS.NewInbox()
	answers, err := c.NATS.SubscribeSync(msg.Reply)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answers.Unsubscribe() }()
	for {
		if err := c.NATS.PublishMsg(msg); err != nil {
			return nil, err
		}
		try, stop := context.WithTimeout(ctx, askAgain)
		answer, err := answers.NextMsgWithContext(try)
		stop()
		switch {
		case ctx.Err() != nil:
			return nil, Cause(ctx, ctx.Err())
		case err == nil && answer.Header.Get("Status") == "503":
			return nil, nats.ErrNoResponders
		case !errors.Is(err, context.DeadlineExceeded):
			return answer, err
		}
	}
}

// Ask sends a request, which may be repeated, to JetStream's API. The API's errors are
// *jetstream.APIError, except for a missing message: ErrNoMessage.
func (c *Conn) Ask(ctx context.Context, api string, what, answer any) error {
	msg := nats.NewMsg(c.APIPrefix + "." + api)
	if what != nil {
		var err error
		if msg.Data, err = json.Marshal(what); err != nil {
			return err
		}
	}
	got, err := c.insist(ctx, msg)
	if err != nil {
		return err
	}
	var failure struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(got.Data, &failure); err != nil {
		return fmt.Errorf("read JetStream's answer: %w", err)
	}
	if failure.Error == nil {
		return json.Unmarshal(got.Data, answer)
	}
	if failure.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return ErrNoMessage
	}
	return failure.Error
}

// Foreign reports whether another client published a message on an instance's subject:
// this program's messages belong to a batch.
func (m *RawMsg) Foreign() bool { return m.Header.Get(headerBatchID) == "" }

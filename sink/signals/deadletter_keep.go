package signals

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// errNotKept: DEADLETTER refuses a dead letter, however often it is sent.
var errNotKept = errors.New("not kept")

// keep publishes one dead letter and reports whether it is a repeat. An error that
// matches errNotKept is final; any other is doubt.
func (s *Sink) keep(ctx context.Context, link pipeline.Link, l deadLetter) (repeat bool, err error) {
	before := s.letterDenied()
	ack, err := s.store.Publisher.One(ctx, s.letterMessage(link, l))
	if err != nil && jets.StreamChanged(err) { // the stream may be gone, or accept less than before
		if err := s.store.EnsureLetters(ctx); err != nil {
			return false, hopeless(err)
		}
		ack, err = s.store.Publisher.One(ctx, s.letterMessage(link, l))
	}
	if denied := s.letterDenied(); err != nil && denied != nil && denied != before {
		return false, fmt.Errorf("%w: %w", errNotKept, denied)
	}
	if err != nil {
		return false, letterRefused(ctx, s.store.Conn, err)
	}
	if ack.Seq == 0 {
		return false, errors.New("the acknowledgement names no sequence")
	}
	return ack.Duplicate, nil
}

// letterDenied returns the server's refusal of this user's dead letters; nil: none.
func (s *Sink) letterDenied() error {
	return s.store.Conn.DeniedOn(jets.SubjectDeadLetter(s.store.Kind.Name, s.instance))
}

// letterRefused separates permanent refusals from temporary ones.
//
// Permanent are JetStream's refusals because of the state of the stream or its account:
// full, sealed, limited to smaller messages, or forbidden to this user. It accepts a
// letter only after somebody has changed that, perhaps never, and the following events
// must not wait for it. A server or an account without room mostly refuses the events,
// too: then the page is not committed, and its dead letters are tried again with it.
//
// Everything else is temporary: no answer, a dropped connection, a missing leader, a
// store that is being closed.
func letterRefused(ctx context.Context, conn *jets.Conn, err error) error {
	refusal, ok := errors.AsType[*jets.APIError](err)
	if !ok {
		return err
	}
	switch refusal.ErrCode {
	case jets.CodeMessageSize, jets.CodeSealed, jets.CodeNoResources, jets.CodeAccountFull, jets.CodeNoStorage:
		return fmt.Errorf("%w: %w", errNotKept, err)
	case jets.CodeStoreFailed: // full or closed: the stream's configuration shows which
		if full, e := lettersFull(ctx, conn); e == nil && full {
			return fmt.Errorf("%w: %w", errNotKept, err)
		}
	}
	return err
}

// lettersFull reports whether DEADLETTER refuses messages that exceed its limits.
func lettersFull(ctx context.Context, conn *jets.Conn) (bool, error) {
	i, err := conn.Info(ctx, jets.StreamDeadLetter)
	if err != nil {
		return false, err
	}
	c, err := i.Configuration()
	return c.Discard == jetstream.DiscardNew && (c.MaxBytes > 0 || c.MaxMsgs > 0 || c.MaxMsgsPerSubject > 0), err
}

// hopeless makes an error of EnsureLetters permanent if JetStream or the account's limits
// refuse the stream.
func hopeless(err error) error {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	if errors.Is(err, jets.ErrUnusable) || errors.Is(err, jets.ErrAccountLimit) || errors.Is(err, jets.ErrMayNotCreate) || ok && refusal.Code != http.StatusServiceUnavailable {
		return fmt.Errorf("%w: %w", errNotKept, err)
	}
	return err
}

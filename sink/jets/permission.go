package jets

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// Permission is a subject that the service must be able to publish or subscribe to.
type Permission struct {
	Subject   string
	Subscribe bool
	Optional  bool   // polling works without it
	Grant     string // its line in topics.Permissions
}

// String returns what to grant.
func (p Permission) String() string {
	if p.Subscribe {
		return "subscribe " + p.Grant
	}
	return "publish " + p.Grant
}

// Try returns whether the server permits it. A refusal is answered before the flush.
func (p Permission) Try(ctx context.Context, c *Conn) (allowed bool, err error) {
	if p.Subscribe {
		sub, err := c.NATS.SubscribeSync(p.Subject)
		if err != nil {
			return false, err
		}
		defer func() { _ = sub.Unsubscribe() }()
	} else {
		m := nats.NewMsg(p.Subject)
		m.Header.Set(nats.ExpectedStreamHdr, "none (tried out by signal-client doctor)")
		if err := c.NATS.PublishMsg(m); err != nil {
			return false, err
		}
	}
	if err := c.NATS.FlushWithContext(ctx); err != nil {
		return false, err
	}
	return c.DeniedOn(p.Subject) == nil, nil
}

// Denied returns the permission error that the server reported last, if it concerns a
// subject for which about returns true, or any subject if about is nil; nil: none. The
// server does not answer a message that this user may not publish: it reports the refusal
// on the connection, and nats.go passes on no more than its text.
func (c *Conn) Denied(about func(subject string) bool) error {
	refusal := c.NATS.LastError()
	if !errors.Is(refusal, nats.ErrPermissionViolation) {
		return nil
	}
	if about == nil {
		return refusal
	}
	_, quoted, _ := strings.Cut(refusal.Error(), `"`)
	quoted, _ = strconv.QuotedPrefix(`"` + quoted)
	if subject, err := strconv.Unquote(quoted); err != nil || !about(subject) {
		return nil
	}
	return refusal
}

// DeniedOn is Denied for one subject.
func (c *Conn) DeniedOn(subject string) error {
	return c.Denied(func(denied string) bool { return denied == subject })
}

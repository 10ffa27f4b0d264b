package jets

import (
	"context"
	"errors"
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

// Try returns whether the server permits it. The answer to a refusal comes before that to
// the flush.
func (p Permission) Try(ctx context.Context, nc *nats.Conn) (allowed bool, err error) {
	if p.Subscribe {
		sub, err := nc.SubscribeSync(p.Subject)
		if err != nil {
			return false, err
		}
		defer func() { _ = sub.Unsubscribe() }()
	} else {
		m := nats.NewMsg(p.Subject)
		m.Header.Set(nats.ExpectedStreamHdr, "none (tried out by signal-client doctor)")
		if err := nc.PublishMsg(m); err != nil {
			return false, err
		}
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return false, err
	}
	refusal := nc.LastError()
	return !errors.Is(refusal, nats.ErrPermissionViolation) || !strings.Contains(refusal.Error(), `"`+p.Subject+`"`), nil
}

package jets

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of the bucket NOTIFIED.
const (
	notifiedKept  = 16 // per rule, channel, kind and instance
	notifiedAge   = 30 * 24 * time.Hour
	notifiedBytes = 64 << 20
)

// notifications are the buckets NOTIFICATIONS, which holds channels and rules, and
// NOTIFIED, which holds what became of each notification.
func (s *Store) notifications() []stream {
	rules := s.bucket(BucketNotifications, 5, "channels and rules of notifications")
	sent := s.bucket(BucketNotified, notifiedKept, "what became of notifications")
	sent.config.MaxAge, sent.config.MaxBytes = notifiedAge, notifiedBytes
	sent.config.Discard = jetstream.DiscardOld // a full bucket must not refuse what is new
	return []stream{rules, sent}
}

// EnsureNotifications ensures the buckets NOTIFICATIONS and NOTIFIED. Its error may match
// ErrLeftOut.
func (s *Store) EnsureNotifications(ctx context.Context) error {
	return s.ensureOptional(ctx, s.notifications()...)
}

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

// EnsureNotifications ensures the buckets NOTIFICATIONS, which holds channels and rules,
// and NOTIFIED, which holds what became of each notification.
func (s *Store) EnsureNotifications(ctx context.Context) error {
	rules := s.bucket(BucketNotifications, 5, "channels and rules of notifications")
	sent := s.bucket(BucketNotified, notifiedKept, "what became of notifications")
	sent.config.MaxAge, sent.config.MaxBytes = notifiedAge, notifiedBytes
	sent.config.Discard = jetstream.DiscardOld // a full bucket must not refuse what is new
	for _, bucket := range []stream{rules, sent} {
		if _, err := s.Conn.ensure(ctx, bucket, OrDiscard(s.config.Log)); err != nil {
			return err
		}
	}
	return nil
}

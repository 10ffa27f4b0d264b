package jets

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of the bucket CHANGES.
const (
	changesKept  = 64 // per instance
	changesAge   = 400 * 24 * time.Hour
	changesBytes = 64 << 20
)

// EnsureChanges ensures the bucket CHANGES, which holds who changed what of each
// integration. It is made by what changes integrations, with as many copies as
// INTEGRATIONS has: no process that polls needs it.
func (s *Store) EnsureChanges(ctx context.Context) error {
	changes := s.bucket(BucketChanges, changesKept, "who changed what of each integration")
	changes.config.MaxAge, changes.config.MaxBytes = changesAge, changesBytes
	changes.config.Discard = jetstream.DiscardOld // a full bucket must not refuse what is new
	info, err := s.Conn.Info(ctx, BucketStream(BucketIntegrations))
	if err != nil {
		return err
	}
	integrations, err := info.Configuration()
	if err != nil {
		return err
	}
	changes.config.Replicas = max(changes.config.Replicas, integrations.Replicas)
	_, err = s.Conn.ensure(ctx, changes, OrDiscard(s.config.Log))
	return err
}

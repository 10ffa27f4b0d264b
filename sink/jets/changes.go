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

// changes is the bucket CHANGES, which holds who changed what of each integration.
func (s *Store) changes() stream {
	changes := s.bucket(BucketChanges, changesKept, "who changed what of each integration")
	changes.config.MaxAge, changes.config.MaxBytes = changesAge, changesBytes
	changes.config.Discard = jetstream.DiscardOld // a full bucket must not refuse what is new
	return changes
}

// EnsureChanges ensures the bucket CHANGES. It is made by what changes integrations, with
// as many copies as INTEGRATIONS has: no process that polls needs it. Its error may match
// ErrLeftOut.
func (s *Store) EnsureChanges(ctx context.Context) error {
	changes := s.changes()
	info, err := s.Conn.Info(ctx, BucketStream(BucketIntegrations))
	if err != nil {
		return err
	}
	integrations, err := info.Configuration()
	if err != nil {
		return err
	}
	changes.config.Replicas = max(changes.config.Replicas, integrations.Replicas)
	return s.ensureOptional(ctx, changes)
}

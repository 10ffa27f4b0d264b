package jets

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Bounds of the bucket HISTORY.
const (
	historyAge   = 25 * time.Hour // its values are of 24 hours
	historyBytes = 256 << 20
)

// history is the bucket HISTORY, which holds the states of each instance over the last 24
// hours.
func (s *Store) history() stream {
	history := s.bucket(BucketHistory, 1, "the states of each instance over 24 hours")
	history.config.MaxAge, history.config.MaxBytes = historyAge, historyBytes
	history.config.Discard = jetstream.DiscardOld // a full bucket must not refuse what is new
	history.config.Compression = jetstream.S2Compression
	return history
}

// EnsureHistory ensures the bucket HISTORY. Its error may match ErrLeftOut.
func (s *Store) EnsureHistory(ctx context.Context) error { return s.ensureOptional(ctx, s.history()) }

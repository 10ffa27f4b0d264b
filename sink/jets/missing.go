package jets

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// IgnoreMissingBucket ignores a missing bucket, which counts as empty.
func IgnoreMissingBucket(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

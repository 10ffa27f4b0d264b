package jets

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// IgnoreMissingBucket takes a bucket that nobody has made yet for an empty one.
func IgnoreMissingBucket(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

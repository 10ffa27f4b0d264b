package jets

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
)

// Value reads a bucket's entry from its leader; a deleted key's marker counts. It returns
// ErrNoMessage if the key was never written.
func (c *Conn) Value(ctx context.Context, bucket, key string) (*RawMsg, error) {
	return c.Last(ctx, BucketStream(bucket), BucketSubject(bucket, key))
}

// Put writes m under a bucket's key if it still has the revision; 0: if it was never
// written. It returns the new revision. Its error matches pipeline.ErrChanged when
// somebody else has written meanwhile.
func (c *Conn) Put(ctx context.Context, bucket, key string, revision uint64, m *nats.Msg) (uint64, error) {
	m.Subject = c.PutSubject(bucket, key)
	Expect(m, revision)
	seq, err := newPublisher(c).Publish(ctx, []*nats.Msg{m})
	if errors.Is(err, pipeline.ErrFenced) {
		err = pipeline.ErrChanged
	}
	if err != nil {
		return 0, fmt.Errorf("write %s in %s: %w", key, bucket, err)
	}
	return seq, nil
}

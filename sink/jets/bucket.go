package jets

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
)

// Value reads a key's value from its bucket's leader. Data is nil if there is none; Seq is
// the key's revision, a deleted key's too; 0: it was never written.
func (c *Conn) Value(ctx context.Context, bucket, key string) (RawMsg, error) {
	if !IsKey(key) {
		return RawMsg{}, nil
	}
	m, err := c.Last(ctx, BucketStream(bucket), BucketSubject(bucket, key))
	switch {
	case errors.Is(err, ErrNoMessage):
		return RawMsg{}, nil
	case err != nil:
		return RawMsg{}, err
	case Gone(m.Header):
		m.Data = nil
	case m.Data == nil:
		m.Data = []byte{}
	}
	return *m, nil
}

// Put writes m under a bucket's key if it still has the revision; 0: if it was never
// written. It returns the new revision. Its error matches pipeline.ErrChanged when
// somebody else has written meanwhile.
func (c *Conn) Put(ctx context.Context, bucket, key string, revision uint64, m *nats.Msg) (uint64, error) {
	if !IsKey(key) {
		return 0, fmt.Errorf("write in %s: %.100q is no key", bucket, key)
	}
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

package jets

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
)

// Forget deletes the STATUS and LOCKS entries of instances that were removed from
// INTEGRATIONS while no process was running: those with a delete marker there and no lock
// held by a live session. An entry that is written meanwhile stays.
func Forget(ctx context.Context, conn *Conn) error {
	removed := map[string]bool{} // by key
	err := conn.each(ctx, BucketIntegrations, keyPrefix+"*", false, func(e kvEntry) {
		if e.gone {
			removed[e.key] = true
		}
	})
	if err != nil || len(removed) == 0 {
		return err
	}
	replicas, err := ReadReplicas(ctx, conn)
	if err != nil {
		return err
	}
	for _, bucket := range []string{BucketStatus, BucketLocks} {
		stale := map[string]uint64{} // revisions
		err := conn.each(ctx, bucket, keyPrefix+"*", false, func(e kvEntry) {
			if instance := strings.TrimPrefix(e.key, keyPrefix); !e.gone && removed[e.key] && !replicas.Held(instance) {
				stale[e.key] = e.revision
			}
		})
		if err != nil {
			return err
		}
		for key, revision := range stale {
			_, err := conn.put(ctx, bucket, key, revision, &nats.Msg{Header: nats.Header{"KV-Operation": {"DEL"}}})
			if err != nil && !errors.Is(err, pipeline.ErrChanged) {
				return err
			}
		}
	}
	return nil
}

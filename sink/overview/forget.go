package overview

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
)

// Forget deletes the STATUS and LOCKS entries of instances that were removed from
// INTEGRATIONS while no process was running: those with a delete marker there and no lock
// held by a live session. An entry that is written meanwhile stays.
func Forget(ctx context.Context, store *jets.Store) error {
	conn := store.Conn
	removed := map[string]bool{} // by key
	err := conn.Each(ctx, jets.BucketIntegrations, ">", false, func(e jets.KVEntry) {
		if kind, _ := store.InstanceOf(e.Key); kind != nil && e.Gone {
			removed[e.Key] = true
		}
	})
	if err != nil || len(removed) == 0 {
		return err
	}
	replicas, err := locks.ReadReplicas(ctx, store)
	if err != nil {
		return err
	}
	for _, bucket := range []string{jets.BucketStatus, jets.BucketLocks} {
		stale := map[string]uint64{} // revisions
		err := conn.Each(ctx, bucket, ">", false, func(e jets.KVEntry) {
			if !e.Gone && removed[e.Key] && replicas.Holder(e.Key) == "" {
				stale[e.Key] = e.Revision
			}
		})
		if err != nil {
			return err
		}
		for key, revision := range stale {
			_, err := conn.Put(ctx, bucket, key, revision, &nats.Msg{Header: nats.Header{"KV-Operation": {"DEL"}}})
			if err != nil && !errors.Is(err, pipeline.ErrChanged) {
				return err
			}
		}
	}
	return nil
}

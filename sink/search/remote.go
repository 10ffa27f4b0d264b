package search

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// doubtTime is how long a remote index may still take rows of a request that broke off.
const doubtTime = 15 * time.Second

// keepRemote writes a remote index while no other process of the fleet does.
func (s *Service) keepRemote(ctx context.Context, store *jets.Store) {
	if s.config.Asks {
		s.progress.set(StateElsewhere, "", "")
		return
	}
	l := &lease{conn: store.Conn, holder: s.config.Replica, log: s.log, tell: s.progress.elsewhere}
	l.hold(ctx, func(ctx context.Context) {
		s.log.Info("search: this process writes the index", "url", s.config.Mode)
		s.writeRemote(ctx, store)
	})
}

// writeRemote writes a remote index until ctx ends.
func (s *Service) writeRemote(ctx context.Context, store *jets.Store) {
	index, err := s.Index()
	if err != nil {
		return
	}
	backoff := s.config.Restart
	for ctx.Err() == nil {
		began := time.Now()
		keep := &checkpointKey{conn: store.Conn}
		err := s.session(index, store, keep).run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longLife {
			backoff.Reset()
		}
		if again, ok := errors.AsType[*rebuildError](err); ok {
			s.log.Warn("search: the index is dropped and built again", "why", again.why)
			s.progress.rebuild()
			if err = s.empty(ctx, index, keep); err == nil {
				continue
			}
		}
		wait := backoff.Next()
		if errors.Is(err, errDoubt) {
			wait = max(wait, doubtTime)
		}
		if !ofNATS(err) {
			s.fail(err, wait)
		}
		_ = pipeline.Sleep(ctx, wait)
	}
}

// errCantDelete: a remote index refuses to delete rows.
var errCantDelete = errors.New("the index holds events of another stream and refuses to delete them: start VictoriaLogs with -delete.enable, or delete its data")

// empty deletes every row of ours from a remote index, and waits until they are gone. The
// checkpoint goes first, so that a half of the rows is never taken for the whole.
func (s *Service) empty(ctx context.Context, index *Index, keep *checkpointKey) error {
	if _, _, err := keep.load(ctx); err != nil {
		return err
	}
	if err := keep.save(ctx, checkpoint{}); err != nil {
		return err
	}
	err := index.deleteAll(ctx)
	if refused, ok := errors.AsType[*indexError](err); ok && (refused.status == http.StatusBadRequest || refused.status == http.StatusNotFound || refused.status == http.StatusForbidden) {
		return errCantDelete
	}
	for err == nil {
		var left uint64
		if left, err = index.count(ctx, "seq:*"); err == nil && left == 0 {
			return nil
		}
		if err == nil {
			err = pipeline.Sleep(ctx, time.Second)
		}
	}
	return fmt.Errorf("empty the index: %w", err)
}

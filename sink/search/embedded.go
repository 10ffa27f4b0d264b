package search

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// keepChild keeps an embedded index: its process, and what it holds.
func (s *Service) keepChild(ctx context.Context, store *jets.Store) {
	backoff := s.config.Restart
	for ctx.Err() == nil {
		began := time.Now()
		err := s.life(ctx, store)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longLife {
			backoff.Reset()
		}
		if why := rebuildReason(err); why != "" {
			s.log.Warn("search: the index is dropped and built again", "why", why)
			s.progress.rebuild()
			if err = s.drop(); err == nil {
				_ = pipeline.Sleep(ctx, time.Second/4)
				continue
			}
		}
		wait := backoff.Next()
		s.fail(err, wait)
		_ = pipeline.Sleep(ctx, wait)
	}
}

// rebuildReason returns why an index must be built again after an error; empty: it need
// not.
func rebuildReason(err error) string {
	if again, ok := errors.AsType[*rebuildError](err); ok {
		return again.why
	}
	if errors.Is(err, errPlaceGone) {
		return err.Error()
	}
	return ""
}

// life is the life of one child process.
func (s *Service) life(ctx context.Context, store *jets.Store) error {
	keep := checkpointFile{s.config.Dir}
	_, found, err := keep.load(ctx)
	if err == nil && !found {
		err = s.drop() // whatever is there, perhaps a half of what was removed
	}
	if err != nil {
		return err
	}
	c, err := s.startChild(ctx)
	if err != nil {
		return err
	}
	defer c.stop()
	place, err := s.place()
	if err != nil {
		return err
	}
	s.setIndex(c.index)
	defer s.setIndex(nil)
	living, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-c.gone:
			end(errChildGone)
		case <-living.Done():
		}
	}()
	backoff := s.config.Restart
	for {
		one := s.session(c.index, store, keep)
		one.own, one.check = true, place.check
		err := one.run(living)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case living.Err() != nil:
			return c.words.failure()
		case endsLife(err):
			return err
		case !ofNATS(err):
			s.fail(err, 0)
		}
		if err := pipeline.Sleep(living, backoff.Next()); err != nil && ctx.Err() == nil {
			return c.words.failure()
		}
	}
}

var errChildGone = errors.New("the index's process has ended")

// endsLife reports whether only another process can go on after an error.
func endsLife(err error) bool {
	return rebuildReason(err) != "" || errors.Is(err, errDoubt)
}

// partitions is where VictoriaLogs keeps its rows in its directory.
const partitions = "partitions"

// drop removes what the index holds: the checkpoint first, so that a half of it is never
// taken for the whole.
func (s *Service) drop() error {
	if s.config.Dir == "" {
		return errors.New("drop the index: it has no directory")
	}
	for _, name := range []string{checkpointName, partitions} {
		if err := os.RemoveAll(filepath.Join(s.config.Dir, name)); err != nil {
			return fmt.Errorf("drop the index: %w", err)
		}
	}
	return nil
}

// place is where the child has its store. A directory that is removed under it, or
// exchanged, is noticed: VictoriaLogs goes on with the files that it has open.
type place struct {
	dir  string
	here os.FileInfo
}

// errPlaceGone: somebody removed the index's directory.
var errPlaceGone = errors.New("the index's directory was removed")

func (s *Service) place() (*place, error) {
	p := &place{dir: filepath.Join(s.config.Dir, partitions)}
	var err error
	if p.here, err = os.Stat(p.dir); err != nil {
		return nil, fmt.Errorf("look at the index's directory: %w", err)
	}
	return p, nil
}

func (p *place) check() error {
	now, err := os.Stat(p.dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(now, p.here) {
		return errPlaceGone
	}
	return nil
}

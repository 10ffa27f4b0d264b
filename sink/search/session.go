package search

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/scan"
)

// How often a session does what is not indexing.
const (
	tickEvery  = time.Second
	flushEvery = 500 * time.Millisecond // at least between two, when rows are to be found at once
	countEvery = 10 * time.Second       // what stream and index hold
)

// errDoubt: it is unknown which rows of a batch the index has, or still takes.
var errDoubt = errors.New("it is unknown which rows the index took")

// rebuildError says why an index must be dropped and built again.
type rebuildError struct{ why string }

func (e *rebuildError) Error() string { return "the index is built again: " + e.why }

// session indexes the stream into an index, from its checkpoint on, until something
// fails. Whatever that is, the next session finds out what the index has: after each kind
// of end there is one way to go on.
type session struct {
	index     *Index
	own       bool // nobody else adds rows to it
	store     *jets.Store
	keep      checkpoints
	retention time.Duration
	durable   time.Duration // after which rows are on disk, unless the disk does not take them
	progress  *progress
	log       *slog.Logger
	check     func() error // the index's store is still in place; nil: not known
	missing   *missing

	at      checkpoint // as saved
	build   *builder
	done    mark   // through which rows are added, not yet durable
	marks   []mark // behind at, oldest first
	flushed time.Time
	visible bool // all that is done can be found
}

// run indexes until ctx ends or something fails. Its error may be a *rebuildError, or
// match errDoubt.
func (s *session) run(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel(nil)
	following.Go(func() {
		err := scan.Follow(ctx, s.store.Conn, s.store.Kind, s.at.point(), func(e *scan.Stored, pending uint64) error {
			s.build.add(e, pending, ctx.Done())
			return nil
		})
		cancel(err)
	})
	if err := s.work(ctx); err != nil {
		return asRebuild(err)
	}
	return asRebuild(context.Cause(ctx))
}

// asRebuild turns the news that the stream is another one into the consequence.
func asRebuild(err error) error {
	if errors.Is(err, scan.ErrOtherStream) {
		return &rebuildError{err.Error()}
	}
	return err
}

// begin finds out where to go on.
func (s *session) begin(ctx context.Context) error {
	if err := s.index.flush(ctx); err != nil { // rows that an earlier session added
		return err
	}
	at, found, err := s.keep.load(ctx)
	if err != nil {
		return err
	}
	if !found {
		if at, err = s.first(ctx); err != nil {
			return err
		}
	}
	if err := at.point().Check(ctx, s.store.Conn); err != nil {
		return asRebuild(err)
	}
	has, err := s.index.after(ctx, at.Seq)
	if err != nil {
		return err
	}
	if has.twice > 0 {
		return &rebuildError{fmt.Sprintf("it holds %d events more than once", has.twice)}
	}
	if has.highest > 0 {
		newest := scan.Point{Created: at.Created, Seq: has.highest, At: has.stored}
		if err := newest.Check(ctx, s.store.Conn); err != nil {
			return asRebuild(err)
		}
	}
	behind, err := s.store.Conn.Count(ctx, jets.SubjectEvents(s.store.Kind.Name, "*"), at.Seq+1)
	if err != nil {
		return err
	}
	s.at, s.done = at, mark{point: at.point(), rows: at.Rows, refused: at.Refused}
	s.build = &builder{native: s.index.native, retention: s.retention, full: make(chan *batch), kept: &has}
	s.progress.begin(at, behind)
	s.log.Info("search: indexing", "from", at.Seq+1, "behind", behind, "kept", len(has.seqs))
	return nil
}

// first returns the checkpoint of an empty index, and saves it, so that rows without a
// checkpoint are those of another stream.
func (s *session) first(ctx context.Context) (checkpoint, error) {
	n, err := s.index.count(ctx, "seq:*")
	if err != nil {
		return checkpoint{}, err
	}
	if n > 0 {
		return checkpoint{}, &rebuildError{fmt.Sprintf("it holds %d events, but not of which stream", n)}
	}
	extent, err := s.store.Conn.Extent(ctx)
	if err != nil {
		return checkpoint{}, err
	}
	at := checkpoint{Version: checkpointVersion, Created: extent.Created, Rebuilding: s.progress.rebuilding(), At: time.Now().UTC()}
	return at, s.keep.save(ctx, at)
}

// work adds batches, and sees to checkpoint and progress.
func (s *session) work(ctx context.Context) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	beside.Go(func() {
		for pipeline.Sleep(ctx, batchLinger) == nil {
			s.build.linger()
		}
	})
	beside.Go(func() {
		for ctx.Err() == nil {
			s.count(ctx)
			_ = pipeline.Sleep(ctx, countEvery)
		}
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-s.build.full:
			if err := s.add(ctx, b); err != nil {
				return err
			}
		case <-tick.C:
			if err := s.tick(ctx); err != nil {
				return err
			}
		}
	}
}

// add adds a batch to the index.
func (s *session) add(ctx context.Context, b *batch) error {
	if b.sent > 0 {
		if err := s.index.insert(ctx, b.lines); err != nil {
			if refused, ok := errors.AsType[*indexError](err); ok {
				return refused
			}
			return fmt.Errorf("%w: %w", errDoubt, err)
		}
		s.visible = false
	}
	s.done.take(b)
	s.build.release(b)
	s.progress.took(s.done, b.pending+s.build.waiting(), b.sent)
	if b.pending == 0 {
		return s.show(ctx)
	}
	return nil
}

// show makes what is added visible, unless that was done just now: then the next tick
// does it, or VictoriaLogs itself after a second.
func (s *session) show(ctx context.Context) error {
	if s.visible || time.Since(s.flushed) < flushEvery {
		return nil
	}
	if err := s.index.flush(ctx); err != nil {
		return err
	}
	s.flushed, s.visible = time.Now(), true
	return nil
}

// tick does what is due every second.
func (s *session) tick(ctx context.Context) error {
	if s.check != nil {
		if err := s.check(); err != nil {
			return err
		}
	}
	if err := s.show(ctx); err != nil {
		return err
	}
	return s.settle(ctx)
}

// count reads what stream and index hold. It is only shown.
func (s *session) count(ctx context.Context) {
	instances, err := scan.Instances(ctx, s.store)
	if err != nil {
		return
	}
	stream := uint64(0)
	for _, n := range instances {
		stream += n
	}
	query := "seq:*"
	if s.own {
		query = "*" // which needs no look at the rows
	}
	before := s.progress.rows()
	indexed, err := s.index.count(ctx, query)
	if err != nil {
		return
	}
	s.progress.counted(stream, indexed, before)
}

// passes reports whether an error of NATS, and so no fault of the index, ended a session.
func ofNATS(err error) bool {
	return scan.Passing(err) && !errors.Is(err, errDoubt) || errors.Is(err, jets.ErrDisconnected) || errors.Is(err, pipeline.ErrSessionLost)
}

package signals

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Headers of a position that an operator wrote. They are no members of the position,
// because members are carried over from position to position.
const (
	headerBy   = "Signal-By"   // who wrote it
	headerNote = "Signal-Note" // reason
)

// Errors of an instance without a usable position. An idle poller writes nothing to the
// stream, so it notices only at its next sync: see wakePoller.
var (
	// ErrNoPosition: the stream has no position of the instance to continue from.
	ErrNoPosition = errors.New("no position in the stream")
	// ErrPurged is an ErrNoPosition that a sync can restore from CURSORS.
	ErrPurged = fmt.Errorf("%w any more", ErrNoPosition)
	// ErrUncompared is a pipeline.ErrFenced: there are events above the newest position, which
	// was deleted, or foreign ones; a sync must compare them first.
	ErrUncompared = fmt.Errorf("events stand above the newest position: %w", pipeline.ErrFenced)
)

// Operator reads an instance's positions and moves it to another one, beside the process
// that polls.
//
// It only continues from an existing position: it never starts, restores or reopens
// because its own query differs. It writes under the fence, over the connection that it
// read over; that write refuses the poller's fence, and the poller syncs. It is used by
// one goroutine at a time.
type Operator struct {
	Store    *jets.Store
	Instance string
	By       string       // who: the header Signal-By of its writes; empty: none
	Note     string       // reason: Signal-Note; empty: none
	Log      *slog.Logger // nil: none
}

// Step is a message on an instance's position subject.
type Step struct {
	pipeline.Position        // Seq is the message's sequence
	By, Note          string // set by an operator
	Err               error  // why it can't be read (then only Seq is set); nil: it can
}

func stepOf(e entry) Step {
	if e.err != nil {
		return Step{Position: pipeline.Position{Seq: e.seq}, Err: e.err}
	}
	return Step{Position: e.position, By: e.by, Note: e.note}
}

// CursorState is the state of an instance's positions.
type CursorState struct {
	Step               // the newest position that can be read
	Cursor *Cursor     // from CURSORS; nil: none that can be read
	Agrees bool        // CURSORS names this position; at most its watermark is newer
	Fence  uint64      // sequence of the newest message on the subject: Seq, unless that can't be read
	Extent jets.Extent // of SIGNALS
}

// CursorState reads the state of the instance's positions. It returns ErrNoPosition if the
// stream has none; Cursor and Extent are set all the same.
func (o *Operator) CursorState(ctx context.Context) (CursorState, error) {
	v, err := o.look(ctx)
	if v == nil {
		return CursorState{}, err
	}
	st := CursorState{Cursor: v.cursor, Fence: v.newest.seq, Extent: v.sink.stream}
	if err != nil {
		return st, err
	}
	st.Step = v.step()
	st.Agrees = v.sink.follows(v.cursor, v.stood)
	return st, nil
}

// History yields the instance's positions, the newest first, including those that can't
// be read. The first ones cost a read each; a long history is read by hundreds.
func (o *Operator) History(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		v, err := o.stand(ctx)
		if err != nil && !errors.Is(err, ErrNoPosition) {
			yield(Step{}, err)
			return
		}
		for e, err := range v.sink.history(ctx, v.newest.seq) {
			if !yield(stepOf(e), err) || err != nil {
				return
			}
		}
	}
}

// operatorView is the state that an operator has read, with a sink at that position.
type operatorView struct {
	sink   *Sink // at is the newest position; at.Seq the fence
	newest entry
	stood  uint64 // sequence of the position's own message
	cursor *Cursor
}

// look reads the state as sync does, but repairs nothing. ErrNoPosition: the view has none.
func (o *Operator) look(ctx context.Context) (*operatorView, error) {
	s := New(o.Store, o.Instance, Query{}, nil, o.Log)
	s.link = o.Store.Conn.Generation()
	v := &operatorView{sink: s}
	var err error
	if v.cursor, err = s.readCursor(ctx); err != nil { // first, as in sync
		return nil, fmt.Errorf("look at %s: %w", o.Instance, err)
	}
	if s.stream, err = o.Store.Conn.Extent(ctx); err != nil {
		return nil, fmt.Errorf("look at %s: %w", o.Instance, err)
	}
	if v.newest, err = s.newest(ctx); err != nil {
		return nil, fmt.Errorf("look at %s: %w", o.Instance, err)
	}
	if v.newest.seq == 0 || v.newest.err != nil {
		missing := ErrNoPosition
		if v.cursor != nil {
			missing = ErrPurged
		}
		return v, fmt.Errorf("look at %s: %w", o.Instance, missing)
	}
	v.stood = s.adopt(v.newest, v.cursor)
	s.query = Query{Origin: s.at.Origin, Hash: s.at.Query}
	return v, s.readLastEvent(ctx)
}

// stand is look for a command that continues from the position.
func (o *Operator) stand(ctx context.Context) (v *operatorView, err error) {
	err = o.wakePoller(ctx, func() error {
		v, err = o.look(ctx)
		return err
	}, ErrPurged)
	return v, err
}

// patience is how long a command waits for the poller of the instance.
const patience = 10 * time.Second

// wakePoller calls try again while it fails for a reason that only the instance's poller can
// remove: it wakes the poller and waits for it.
func (o *Operator) wakePoller(ctx context.Context, try func() error, wants ...error) error {
	wanting := func(err error) bool {
		return slices.ContainsFunc(wants, func(want error) bool { return errors.Is(err, want) })
	}
	err := try()
	if !wanting(err) {
		return err
	}
	Wake(o.Store.Conn, o.Instance)
	for end := time.Now().Add(patience); wanting(err) && time.Now().Before(end); err = try() {
		if err := pipeline.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return err
}

// Wake tells the poller of an instance to sync and poll at once.
func Wake(conn *jets.Conn, instance string) {
	if conn.NATS.Publish(jets.SubjectWake(instance), nil) == nil {
		_ = conn.NATS.FlushTimeout(time.Second)
	}
}

// place writes next after the newest position, with the operator's name.
func (o *Operator) place(ctx context.Context, s *Sink, next pipeline.Position) error {
	header := nats.Header{}
	for name, text := range map[string]string{headerBy: o.By, headerNote: o.Note} {
		if text != "" {
			header[name] = []string{jets.EncodeHeader(text)}
		}
	}
	return s.placeWith(ctx, next, header)
}

// tell announces the move: in CURSORS, where an idle poller's next write is refused, and
// by a wake, which makes the poller sync at once.
func (o *Operator) tell(ctx context.Context, s *Sink) error {
	defer Wake(o.Store.Conn, o.Instance)
	var err error
	for range operatorTries {
		c, e := s.readCursor(ctx)
		if e != nil {
			return e
		}
		if s.follows(c, s.at.Seq) || c != nil && c.StreamSeq > s.at.Seq && c.StreamCreated.Equal(s.stream.Created) {
			return nil
		}
		if err = s.follow(ctx, true); err == nil {
			err = s.settle(ctx)
		}
		if errors.Is(err, pipeline.ErrFenced) {
			return nil // the poller has taken it up and writes CURSORS itself
		}
	}
	return err
}

// operatorTries is how often an operator retries when the poller moves before its write.
const operatorTries = 20

// after counts the instance's events after a sequence.
func (o *Operator) after(ctx context.Context, seq uint64) (uint64, error) {
	n, err := o.Store.Conn.Count(ctx, jets.SubjectEvents(o.Store.Kind.Name, o.Instance), seq+1)
	if err != nil {
		return 0, fmt.Errorf("count events of %s: %w", o.Instance, err)
	}
	return n, nil
}

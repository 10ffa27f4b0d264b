package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Runner polls one instance: it syncs, then carries page after page from the
// Source to the Sink until its context ends. While one page is committed the
// next is fetched; never more than one ahead.
//
// It holds nothing that exactness needs: a Runner that is killed anywhere is
// replaced by a new one whose Sync finds the truth.
type Runner struct {
	Instance string
	Source   Source
	Sink     Sink
	Interval time.Duration // between polls at the head of the log; 0: 5 minutes
	Backlog  Backlog       // events of the past, stored between polls; nil: none
	Clock    *Clock        // the org's, as this instance's answers tell it; nil: a new one
	Grace    time.Duration // how long a commit in hand may go on after ctx ended; 0: 3 s
	Trace    *Trace        // nil: none

	// Able is told whether the org can be polled: with nil when it has sent a page,
	// else with why the Source does not ask it. Nil: nobody is told.
	Able func(error)

	// Wake, when something comes, ends a wait: the Runner syncs and polls at
	// once. It is a hint; whatever it tells is found out without it, later.
	Wake <-chan struct{}

	// Quiet reports a failure of the Sink that is told once for all instances, such as
	// that NATS is away: it is no warning of this one. Nil: none is.
	Quiet func(error) bool

	Log     *slog.Logger // nil: discarded
	Backoff Backoff      // after passing failures; zero: its defaults
}

func (r *Runner) withDefaults() *Runner {
	c := *r
	c.Interval = cmp.Or(c.Interval, 5*time.Minute)
	c.Grace = cmp.Or(c.Grace, 3*time.Second)
	if c.Clock == nil {
		c.Clock = new(Clock)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("instance", c.Instance)
	if c.Able == nil {
		c.Able = func(error) {}
	}
	return &c
}

// Run polls until ctx ends, and then returns nil. It returns an error only when
// this program can't go on with the instance at all: one that matches ErrNewer, or the Sink's ErrConfig.
func (r *Runner) Run(ctx context.Context) error {
	w := &walk{Runner: r.withDefaults(), trace: Traces(r.Trace)}
	for ctx.Err() == nil {
		err := w.run(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errWoken) {
			continue
		}
		if errors.Is(err, ErrNewer) || errors.Is(err, ErrConfig) {
			return fmt.Errorf("poll %s: %w", r.Instance, err)
		}
		wait := w.Backoff.Next()
		w.unstored(ctx, err, wait)
		Sleep(ctx, wait)
	}
	return nil
}

// walk is a Runner on its way.
type walk struct {
	*Runner
	trace   *Trace
	at      Position
	head    head
	ahead   *fetch   // the page after the one in hand; nil: not asked for
	refused refusals // of the link, in a row
	past    *Past    // a batch of the backlog, to be stored once the log is read beyond it; nil: none
	untimed bool     // it was told that the org's answers have no Date
	drained int      // pages in a row that were followed at once
	chased  int      // pages in a row that were followed at once for what they might prove
	ill     State    // that the newest failure left it in; empty: a commit succeeded since
}

// errWoken ends a walk: a sync is asked for.
var errWoken = errors.New("woken")

// run syncs and follows the log until ctx ends or the sink refuses.
func (w *walk) run(ctx context.Context) error {
	at, err := w.Sink.Sync(ctx)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	w.head = head{clock: w.Clock, interval: w.Interval}
	w.moved(at, cmp.Or(w.ill, StateNew), time.Time{}) // a sync that went well makes nothing well
	defer w.forget()                                  // a sync may follow a rewind: what was passed is asked for anew
	defer w.drop()
	for ctx.Err() == nil {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step carries one page. Its error is the sink's, or errWoken: what follows is
// a Sync.
func (w *walk) step(ctx context.Context) error {
	page, err := w.next(ctx)
	if err != nil {
		return w.recover(ctx, err)
	}
	w.refused.over(page.Link)
	w.Able(nil)
	if page.More {
		w.ahead = w.fetch(ctx, page.Next)
	}
	if err := w.commit(ctx, page); err != nil {
		w.drop() // it may hold what the sync will find stored, or follow a page that is not
		return err
	}
	w.Backoff.Reset()
	if page.More {
		w.drain()
		return nil
	}
	return w.settle(ctx, page)
}

// settle is what follows a page after which no more of the log is known to wait: the past
// has its turn, and then the walk rests until the next tick; or less, if one more page
// may prove what is waited for.
func (w *walk) settle(ctx context.Context, page Page) error {
	w.drained = 0
	due := time.Now().Add(w.untilTick())
	if w.past != nil && w.head.passed(w.head.batch) {
		if err := w.insert(ctx); err != nil {
			return err
		}
	}
	if !w.unproven(page) {
		w.moved(w.at, StatePolling, due)
		w.makeUp(ctx, due)
	}
	again := w.past != nil || w.unproven(page)
	if !again || len(page.Events) > 0 && page.Next == page.Link { // the same page again would prove nothing
		w.chased = 0
		return w.rest(ctx, time.Until(due))
	}
	if w.chased++; w.chased <= mostChased {
		return nil
	}
	wait := min(time.Until(due), chasePause)
	w.moved(w.at, StatePolling, time.Now().Add(wait))
	return w.rest(ctx, wait)
}

const (
	// mostDrained is how many pages in a row are followed at once with a batch of the
	// past in hand.
	mostDrained = 16
	// mostChased is how many pages in a row are followed at once for what the next one
	// may prove: as many as it takes at the head of the log. An org that always has
	// something new is asked every chasePause then, since a later event proves it too.
	mostChased = headEmpties
	chasePause = 5 * time.Second
)

// unproven reports whether one more page is asked for, for what a page did not prove: the
// watermark, as a walk's first answer can't, an interval later it would be old; or that
// known events are not served any more.
func (w *walk) unproven(page Page) bool {
	if w.at.DedupeFrom != 0 && !page.CaughtUp {
		return true
	}
	return page.Through.IsZero() && w.head.blind && w.chased == 0
}

// untilTick is how long the walk rests until the instance's next moment of the interval:
// never longer than the interval, whatever becomes of this machine's clock meanwhile.
func (w *walk) untilTick() time.Duration {
	now := w.Clock.wall().Round(0)
	return min(Tick(w.Instance, w.Interval, now).Sub(now), w.Interval)
}

// drain follows a page at once. A batch of the past that would have to wait for long is
// given up: it takes the place of other instances' batches.
func (w *walk) drain() {
	w.moved(w.at, StateCatchingUp, time.Time{})
	if w.drained++; w.drained > mostDrained {
		w.forget()
	}
}

// Tick is the next moment after a time that is an instance's own of each interval,
// so that what is done for many instances is spread over it. Names that differ in
// a digit are as far apart as any: simpler hashes keep those together.
func Tick(instance string, interval time.Duration, after time.Time) time.Time {
	sum := sha256.Sum256([]byte(instance))
	phase := time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(interval))
	next := after.Truncate(interval).Add(phase)
	if !next.After(after) {
		next = next.Add(interval)
	}
	return next
}

// rest waits for d, or until ctx ends, or the Runner is woken: then it returns
// errWoken.
func (w *walk) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-w.Wake:
		return errWoken
	}
	return nil
}

// commit stores a page, or fails to, and gives its memory back: it needs none
// itself, so others that wait for memory get it in time. SIGTERM lets it finish
// within Grace: a commit that is cut off is not wrong, only doubtful, and costs
// the next holder a look.
func (w *walk) commit(ctx context.Context, page Page) error {
	defer page.Memory.Release()
	ctx, stop := graceful(ctx, w.Grace)
	defer stop()
	started := time.Now()
	r, err := w.Sink.Commit(ctx, w.at, page)
	if err != nil {
		return fmt.Errorf("commit %s: %w", w.Instance, err)
	}
	w.at, w.ill = r.Position, ""
	w.trace.Committed(w.Instance, page, r, time.Since(started))
	level := slog.LevelInfo
	if len(page.Events) == 0 {
		level = slog.LevelDebug
	}
	w.Log.Log(ctx, level, fmt.Sprintf("okta: fetched %d events", len(page.Events)),
		"stored", r.Stored, "repeats", r.Repeats, "dead_letters", r.DeadLetters, "more", page.More)
	return nil
}

// recover says what a Source's error costs: a wait, a reopening, or nothing.
// It returns an error only when the sink refused.
func (w *walk) recover(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if later, ok := errors.AsType[*NotBefore](err); ok {
		state := StateRetrying
		if errors.Is(err, ErrCredential) {
			state = StateRefused
		}
		w.Able(err)
		return w.pause(ctx, err, state, time.Until(later.At))
	}
	switch {
	case errors.Is(err, ErrThrottled):
		w.failed(err, StateThrottled, 0) // the Source waits for the budget
	case errors.Is(err, ErrCredential):
		return w.pause(ctx, err, StateRefused, w.Backoff.Next())
	case errors.Is(err, ErrConfig):
		return w.pause(ctx, err, StateConfig, max(w.Interval, time.Minute))
	case errors.Is(err, ErrCursor), errors.Is(err, ErrLink):
		return w.reopen(ctx, err)
	default:
		return w.pause(ctx, err, StateRetrying, w.Backoff.Next())
	}
	return nil
}

// reopen starts a new query when the org has refused the link often enough; once
// may have been a bad moment of the org's. The query that was reopened last is a
// request of our own making: one that is refused, too, is a configuration error.
func (w *walk) reopen(ctx context.Context, refusal error) error {
	state, wait := StateRetrying, w.Backoff.Next()
	if w.refused.own(w.at.Link) {
		state, wait = StateConfig, max(w.Interval, time.Minute)
	}
	w.refused.count(time.Now())
	if err := w.pause(ctx, refusal, state, wait); err != nil || ctx.Err() != nil {
		return err
	}
	if !w.refused.enough(errors.Is(refusal, ErrCursor), time.Now()) {
		return nil
	}
	at, err := w.Sink.Reopen(ctx, w.at)
	if err != nil {
		return fmt.Errorf("reopen %s: %w", w.Instance, err)
	}
	w.refused.reopened(at.Link)
	w.head.restart()
	w.Log.Warn("okta: cursor refused, reopening the query", "link", at.Link, "dedupe_from", at.DedupeFrom)
	w.ill = ""
	w.moved(at, StateCatchingUp, time.Time{})
	return nil
}

func (w *walk) pause(ctx context.Context, err error, state State, wait time.Duration) error {
	w.failed(err, state, wait)
	return w.rest(ctx, wait)
}

// failed reports a failure and the state that it leaves the instance in.
func (w *walk) failed(err error, state State, wait time.Duration) {
	facts := []any{"err", err}
	if wait > 0 { // else the Source waits, and knows for how long
		facts = append(facts, "retry_in", wait.Round(time.Millisecond))
	}
	w.Log.Warn("okta: "+string(state), facts...)
	w.ended(err, state, wait)
}

// unstored reports a failure of the Sink.
func (w *walk) unstored(ctx context.Context, err error, wait time.Duration) {
	level := slog.LevelWarn
	if w.Quiet != nil && w.Quiet(err) {
		level = slog.LevelDebug
	}
	w.Log.Log(ctx, level, "nats: "+string(StateRetrying), "err", err, "retry_in", wait.Round(time.Millisecond))
	w.ended(err, StateRetrying, wait)
}

// ended keeps a failure, and tells who watches.
func (w *walk) ended(err error, state State, wait time.Duration) {
	w.trace.Failed(w.Instance, err)
	w.ill = state
	w.moved(w.at, state, time.Now().Add(wait))
}

func (w *walk) moved(at Position, state State, next time.Time) {
	w.at = at
	w.trace.Moved(w.Instance, state, at, next)
}

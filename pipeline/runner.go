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

// Runner polls one instance: it syncs, then carries page after page from the Source to
// the Sink until its context ends. While one page is committed the next is fetched; never
// more than one ahead.
//
// It holds nothing that exactness needs: if it is killed at any line, the Sync of its
// successor reads everything from the sink.
type Runner struct {
	Kind     string // its name, in log lines
	Instance string
	Source   Source
	Sink     Sink
	Interval time.Duration // between polls at the head of the log; 0: 5 minutes
	Backlog  Backlog       // events of the past, stored between polls; nil: none
	Clock    *Clock        // the org's clock, from this instance's answers; nil: a new one
	Grace    time.Duration // how long a commit may continue after ctx has ended; 0: 3 s
	Trace    *Trace        // nil: none

	// Able, unless nil, is called when it is known whether the org can be polled: with
	// nil after a page, else with the reason why the Source sends no request.
	Able func(error)

	// Org returns the org's own id. It is called once, at the head of the log, if the
	// position has no id, or one by assumption. Nil: never.
	Org func(context.Context) (string, error)

	// Wake ends a wait: the Runner syncs and polls at once. It is a hint; without it the
	// Runner notices the same change later.
	Wake <-chan struct{}

	// Quiet reports whether a failure of the Sink, such as a NATS outage, is logged once
	// for all instances, so that this one does not warn. Nil: never.
	Quiet func(error) bool

	Log     *slog.Logger // nil: discarded
	Backoff Backoff      // after temporary failures; zero: its defaults
}

func (r *Runner) withDefaults() *Runner {
	c := *r
	c.Interval = cmp.Or(c.Interval, 5*time.Minute)
	c.Grace = cmp.Or(c.Grace, 3*time.Second)
	c.Clock = cmp.Or(c.Clock, new(Clock))
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler)).With("instance", c.Instance)
	if c.Able == nil {
		c.Able = func(error) {}
	}
	return &c
}

// Run polls until ctx ends, and then returns nil. It returns an error only when it can't
// continue with the instance at all: one that matches ErrNewer, or the Sink's ErrConfig.
func (r *Runner) Run(ctx context.Context) error {
	p := &poll{Runner: r.withDefaults(), trace: Traces(r.Trace)}
	for ctx.Err() == nil {
		err := p.run(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errWoken) {
			continue
		}
		if errors.Is(err, ErrNewer) || errors.Is(err, ErrConfig) {
			return fmt.Errorf("poll %s: %w", r.Instance, err)
		}
		wait := p.Backoff.Next()
		p.unstored(ctx, err, wait)
		Sleep(ctx, wait)
	}
	return nil
}

// poll is the state of a running Runner.
type poll struct {
	*Runner
	trace   *Trace
	at      Position
	head    Head
	ahead   *fetch   // the prefetched page; nil: none
	refused refusals // refusals of the link, in a row
	past    *Past    // a batch of the backlog that waits until the log has been read past it; nil: none
	org     string   // the id that Org returned; empty: none
	asked   bool     // Org was called
	untimed bool     // the missing Date has been logged
	drained int      // pages in a row that were followed at once
	chased  int      // pages in a row that were requested early for a proof
	ill     State    // state after the newest failure; empty: a commit has succeeded since
}

// errWoken asks for a Sync.
var errWoken = errors.New("woken")

// run syncs, and follows the log until ctx ends or the sink returns an error.
func (p *poll) run(ctx context.Context) error {
	at, err := p.Sink.Sync(ctx)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	p.head = NewHead(p.Clock, p.Interval)
	p.moved(at, cmp.Or(p.ill, StateNew), time.Time{}) // a successful sync does not clear a failure
	defer p.forget()                                  // the sync may follow a rewind, so a waiting batch is requested again
	defer p.drop()
	for ctx.Err() == nil {
		if err := p.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// step carries one page. After an error, the sink's or errWoken, a Sync follows.
func (p *poll) step(ctx context.Context) error {
	page, err := p.next(ctx)
	if err != nil {
		return p.recover(ctx, err)
	}
	p.refused.over(page.Link)
	p.Able(nil)
	if page.More {
		p.ahead = p.fetch(ctx, page.Next)
	}
	if err := p.commit(ctx, page); err != nil {
		p.drop() // it may hold what the sync will find stored, or follow a page that is not
		return err
	}
	p.Backoff.Reset()
	if page.More {
		p.drain()
		return nil
	}
	return p.settle(ctx, page)
}

// settle runs after a page at the head of the log: it stores a waiting batch of the past or
// asks for one, and rests until the next tick, or less if one more page may prove a thing.
func (p *poll) settle(ctx context.Context, page Page) error {
	p.drained = 0
	p.identify(ctx)
	due := time.Now().Add(p.untilTick())
	if p.past != nil && p.head.passed(p.head.batch) {
		if err := p.insert(ctx); err != nil {
			return err
		}
	}
	if !p.unproven(page) {
		p.moved(p.at, StatePolling, due)
		p.makeUp(ctx, due)
	}
	again := p.past != nil || p.unproven(page)
	if !again || len(page.Events) > 0 && page.Next == page.Link { // the same page again would prove nothing
		p.chased = 0
		return p.rest(ctx, time.Until(due))
	}
	if p.chased++; p.chased <= mostChased {
		return nil
	}
	wait := min(time.Until(due), chasePause)
	p.moved(p.at, StatePolling, time.Now().Add(wait))
	return p.rest(ctx, wait)
}

// identify asks once for the org's id if the position does not have it. It runs at the head
// of the log, where no page is in memory and no commit waits.
func (p *poll) identify(ctx context.Context) {
	if p.asked || p.Org == nil || p.at.Org != "" && p.at.Assumed == "" {
		return
	}
	p.asked = true
	org, err := p.Org(ctx)
	if err != nil {
		p.Log.Info(p.Kind+": the org's id is not known", "err", err)
		return
	}
	p.org = org
}

const (
	// mostDrained is how many pages in a row are followed while a batch of the past waits.
	mostDrained = 16
	// mostChased is how many pages in a row are requested at once for a proof: as many as
	// it takes at the head of the log. An org that always has something new is then asked
	// every chasePause, because a later event is a proof, too.
	mostChased = headEmpties
	chasePause = 5 * time.Second
)

// unproven reports whether one more page is worth a request: the watermark is still
// unproved (as after a poll's first answer; an interval later it would be old), or known
// events may still be served again.
func (p *poll) unproven(page Page) bool {
	if p.at.DedupeFrom != 0 && !page.CaughtUp {
		return true
	}
	return page.Through.IsZero() && p.head.blind && p.chased == 0
}

// untilTick returns the time until the instance's next tick: never longer than the
// interval, even if this machine's clock is changed meanwhile.
func (p *poll) untilTick() time.Duration {
	now := p.Clock.wall().Round(0)
	return min(Tick(p.Instance, p.Interval, now).Sub(now), p.Interval)
}

// drain follows a page at once. A batch of the past that would wait too long is given up,
// because it occupies the place of other instances' batches.
func (p *poll) drain() {
	p.moved(p.at, StateCatchingUp, time.Time{})
	if p.drained++; p.drained > mostDrained {
		p.forget()
	}
}

// Tick returns the next moment after a time at which an instance is due. Each instance
// has its own phase within the interval, so that the load is spread. SHA-256 also spreads
// names that differ in one digit; simpler hashes keep them together.
func Tick(instance string, interval time.Duration, after time.Time) time.Time {
	sum := sha256.Sum256([]byte(instance))
	phase := time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(interval))
	next := after.Truncate(interval).Add(phase)
	if !next.After(after) {
		next = next.Add(interval)
	}
	return next
}

// rest waits for d or until ctx ends. When the Runner is woken, it returns errWoken.
func (p *poll) rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-p.Wake:
		return errWoken
	}
	return nil
}

// commit stores a page and releases its memory, whether it succeeds or not. On SIGTERM a
// commit may finish within Grace: one that is cut off does no harm, but its outcome is
// unknown, and the next holder must look it up.
func (p *poll) commit(ctx context.Context, page Page) error {
	defer page.Memory.Release()
	ctx, stop := graceful(ctx, p.Grace)
	defer stop()
	page.Org = p.org
	started := time.Now()
	r, err := p.Sink.Commit(ctx, p.at, page)
	if err != nil {
		return fmt.Errorf("commit %s: %w", p.Instance, err)
	}
	p.at, p.ill = r.Position, ""
	p.trace.Committed(p.Instance, page, r, time.Since(started))
	level := slog.LevelInfo
	if len(page.Events) == 0 {
		level = slog.LevelDebug
	}
	p.Log.Log(ctx, level, fmt.Sprintf("%s: fetched %d events", p.Kind, len(page.Events)),
		"stored", r.Stored, "repeats", r.Repeats, "dead_letters", r.DeadLetters, "more", page.More)
	return nil
}

// recover handles a Source's error: it waits, reopens the query, or does nothing. It
// returns only the sink's errors.
func (p *poll) recover(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if later, ok := errors.AsType[*NotBefore](err); ok {
		state := StateRetrying
		if errors.Is(err, ErrCredential) {
			state = StateRefused
		}
		p.Able(err)
		return p.pause(ctx, err, state, time.Until(later.At))
	}
	switch {
	case errors.Is(err, ErrThrottled):
		p.failed(err, StateThrottled, 0) // the Source waits for the budget
	case errors.Is(err, ErrCredential):
		return p.pause(ctx, err, StateRefused, p.Backoff.Next())
	case errors.Is(err, ErrConfig):
		return p.pause(ctx, err, StateConfig, max(p.Interval, time.Minute))
	case errors.Is(err, ErrCursor), errors.Is(err, ErrLink):
		return p.reopen(ctx, err)
	default:
		return p.pause(ctx, err, StateRetrying, p.Backoff.Next())
	}
	return nil
}

// reopen starts a new query when the org has refused the link often enough; a single
// refusal may be a temporary fault. If the org refuses the link of the reopening itself,
// which this program made, that is a configuration error.
func (p *poll) reopen(ctx context.Context, refusal error) error {
	state, wait := StateRetrying, p.Backoff.Next()
	if p.refused.own(p.at.Link) {
		state, wait = StateConfig, max(p.Interval, time.Minute)
	}
	p.refused.count(time.Now())
	if err := p.pause(ctx, refusal, state, wait); err != nil || ctx.Err() != nil {
		return err
	}
	if !p.refused.enough(errors.Is(refusal, ErrCursor), time.Now()) {
		return nil
	}
	at, err := p.Sink.Reopen(ctx, p.at)
	if err != nil {
		return fmt.Errorf("reopen %s: %w", p.Instance, err)
	}
	p.refused.reopened(at.Link)
	p.head.restart()
	p.Log.Warn(p.Kind+": cursor refused, reopening the query", "link", at.Link, "dedupe_from", at.DedupeFrom)
	p.ill = ""
	p.moved(at, StateCatchingUp, time.Time{})
	return nil
}

func (p *poll) pause(ctx context.Context, err error, state State, wait time.Duration) error {
	p.failed(err, state, wait)
	return p.rest(ctx, wait)
}

// failed reports a failure and the resulting state.
func (p *poll) failed(err error, state State, wait time.Duration) {
	facts := []any{"err", err}
	if wait > 0 { // else the Source decides how long to wait
		facts = append(facts, "retry_in", wait.Round(time.Millisecond))
	}
	p.Log.Warn(p.Kind+": "+string(state), facts...)
	p.ended(err, state, wait)
}

// unstored reports a failure of the Sink.
func (p *poll) unstored(ctx context.Context, err error, wait time.Duration) {
	level := slog.LevelWarn
	if p.Quiet != nil && p.Quiet(err) {
		level = slog.LevelDebug
	}
	p.Log.Log(ctx, level, "nats: "+string(StateRetrying), "err", err, "retry_in", wait.Round(time.Millisecond))
	p.ended(err, StateRetrying, wait)
}

// ended records a failure and reports it to the trace.
func (p *poll) ended(err error, state State, wait time.Duration) {
	p.trace.Failed(p.Instance, err)
	p.ill = state
	p.moved(p.at, state, time.Now().Add(wait))
}

func (p *poll) moved(at Position, state State, next time.Time) {
	p.at = at
	p.trace.Moved(p.Instance, state, at, next)
}

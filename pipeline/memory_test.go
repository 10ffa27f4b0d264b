package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// past tells the race detector what a bubble's clock does not: what a test did
// before it slept came before what woke meanwhile.
var past sync.Mutex

func inOrder() {
	past.Lock()
	defer past.Unlock()
}

// memoryOrg is a Source over a log in memory. A link is a place in it.
//
// It answers at most mostAtOnce requests at one moment: otherwise a Runner that repeats
// them without pause would stop the bubble's clock, and the test would hang instead of
// failing.
type memoryOrg struct {
	limit int
	most  int // most events of a page, whatever the limit; 0: no bound
	log   []Event
	stuck bool    // every answer names its own link
	errs  []error // of the next polls, one after another; nil: none
	leads error   // of all links but the first one; nil: none
	// hollow is the number of empty pages with a new link that come before a place.
	hollow map[int]int
	// between runs between the look into the log and the stamp; nil: nothing does.
	between func(context.Context)

	date func(n int) time.Time // what the nth answer says of the org's clock; nil: the time

	polls []string // the links asked for
	times []time.Time
}

var _ Source = (*memoryOrg)(nil)

// mostAtOnce is how many requests at one moment a memoryOrg answers.
const mostAtOnce = 1000

// add lets events happen now.
func (o *memoryOrg) add(n int) {
	for range n {
		i := len(o.log)
		o.log = append(o.log, Event{UUID: fmt.Sprint("id-", i), Data: fmt.Append(nil, i), Published: time.Now()})
	}
}

// refuse makes the next n polls fail.
func (o *memoryOrg) refuse(n int, err error) { o.errs = slices.Repeat([]error{err}, n) }

func placeLink(n int) Link { return Link(fmt.Sprint(n)) }

func place(l Link) int {
	n := 0
	_, _ = fmt.Sscan(string(l), &n)
	return n
}

// Poll implements Source.
func (o *memoryOrg) Poll(ctx context.Context, link Link) (Page, error) {
	inOrder()
	o.polls, o.times = append(o.polls, string(link)), append(o.times, time.Now())
	if n := len(o.times) - mostAtOnce; n > 0 && o.times[n-1].Equal(time.Now()) {
		<-ctx.Done()
		return Page{}, context.Cause(ctx)
	}
	if len(o.errs) > 0 {
		err := o.errs[0]
		if o.errs = o.errs[1:]; err != nil {
			return Page{}, err
		}
	}
	from := place(link)
	if o.leads != nil && from > 0 {
		return Page{}, o.leads
	}
	to := min(from+o.limit, len(o.log))
	if o.most > 0 {
		to = min(to, from+o.most)
	}
	p := Page{Link: link, Events: slices.Clone(o.log[from:to]), Next: placeLink(to), Full: to-from == o.limit}
	if o.hollow[from] > 0 {
		o.hollow[from]--
		p.Events, p.Full, p.Next = nil, false, link+" " // the same place, told otherwise
	}
	if o.stuck {
		p.Next = link
	}
	if o.between != nil {
		o.between(ctx)
		inOrder()
	}
	if ctx.Err() != nil {
		return Page{}, context.Cause(ctx)
	}
	if p.Date = time.Now(); o.date != nil {
		p.Date = o.date(len(o.polls))
	}
	return p, nil
}

// memorySink is a Sink in memory, with a failure point at each write.
type memorySink struct {
	takes time.Duration // how long a commit takes
	away  error         // of every Sync; nil: none
	back  bool          // Reopen begins at the first link again
	// fail says of the nth write whether it is applied, and what is answered.
	// nil: all are, well.
	fail func(n int) (apply bool, err error)

	at        Position // the newest, as all writers know it
	known     Position // as the newest Sync or Commit of this one left it
	writes    int
	stored    []Event
	positions []Position
	calls     []string
}

var _ Sink = (*memorySink)(nil)

// Sync implements Sink.
func (s *memorySink) Sync(context.Context) (Position, error) {
	inOrder()
	s.calls = append(s.calls, "sync")
	if s.away != nil {
		return Position{}, s.away
	}
	if s.at.Seq == 0 {
		s.at = Position{Link: placeLink(0), Seq: 1, Why: WhyStart}
	}
	s.known = s.at
	return s.at, nil
}

// Commit implements Sink.
func (s *memorySink) Commit(ctx context.Context, at Position, page Page) (Receipt, error) {
	inOrder()
	s.calls = append(s.calls, "commit "+string(page.Link))
	if err := Sleep(ctx, s.takes); err != nil {
		return Receipt{}, err
	}
	inOrder()
	next := at
	next.Link, next.Why, next.Seq = page.Next, WhyPage, at.Seq+1
	next.Org = cmp.Or(page.Org, at.Org)
	if page.Through.After(next.CompleteThrough) {
		next.CompleteThrough = page.Through
	}
	if err := s.apply(at, next, page.Events); err != nil {
		return Receipt{}, err
	}
	return Receipt{Position: next, Stored: len(page.Events)}, nil
}

// Reopen implements Sink: it keeps its place, which is far enough back.
func (s *memorySink) Reopen(_ context.Context, at Position) (Position, error) {
	inOrder()
	s.calls = append(s.calls, "reopen")
	next := at
	next.Seq, next.Why = at.Seq+1, WhyReopen
	if s.back {
		next.Link = placeLink(0)
	}
	return next, s.apply(at, next, nil)
}

// apply is one write, under the fence.
func (s *memorySink) apply(at, next Position, events []Event) error {
	apply, err := true, error(nil)
	if s.fail != nil {
		apply, err = s.fail(s.writes)
	}
	s.writes++
	if at.Seq != s.at.Seq {
		return ErrFenced
	}
	if at.Seq != s.known.Seq {
		return fmt.Errorf("commit after position %d, known is %d", at.Seq, s.known.Seq)
	}
	if apply {
		s.at = next
		s.stored, s.positions = append(s.stored, events...), append(s.positions, next)
	}
	if err != nil {
		s.known = Position{}
		return err
	}
	s.known = next
	return nil
}

// write is what another writer stores: the events from one place to another.
func (s *memorySink) write(o *memoryOrg, from, to int) {
	s.stored = append(s.stored, o.log[from:to]...)
	s.at.Link, s.at.Seq = placeLink(to), s.at.Seq+1
}

func (s *memorySink) count(call string) int {
	n := 0
	for _, c := range s.calls {
		if c == call {
			n++
		}
	}
	return n
}

// want checks that the whole log is stored, each event once, in order.
func (s *memorySink) want(t *testing.T, o *memoryOrg) {
	t.Helper()
	var got, want []string
	for _, e := range s.stored {
		got = append(got, e.UUID)
	}
	for _, e := range o.log {
		want = append(want, e.UUID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %v\nwant   %v", got, want)
	}
}

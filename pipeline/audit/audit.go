// Package audit compares an org's events of a span of the past with the stored ones, and
// repairs the stream. It reads the stored events through a [Ledger], which the sink
// implements. Start reading at [Audit].
package audit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Audit compares what an org shows of a span with what is stored of it, by uuid. It needs
// no lock and moves no position: the poller keeps running.
//
// An event that the org shows and that is not stored may not have been polled yet. So the
// audit then follows the live link to the head of the log, without storing anything:
// events it sees there are waiting. Events that are neither there nor stored by then are
// missing, because the live poll has passed them.
type Audit struct {
	Instance     string
	Source       pipeline.Source // requests the span, and follows the live link
	Window       pipeline.Window
	Ledger       Ledger
	Since, Until time.Time // published at or after, and before
	Repair       bool      // store what is missing

	// Progress, unless nil, is called after each page with how far the audit has come.
	Progress func(through time.Time, r *Report)
}

// Ledger is the record of an instance's stored events. One goroutine at a time uses it.
type Ledger interface {
	// Stored calls visit, in order, for every event stored after a sequence and published
	// at or after from and before until. It returns the sequence through which it has read.
	Stored(ctx context.Context, from, until time.Time, after uint64, visit func(StoredEvent)) (through uint64, err error)
	// Event reads a stored event.
	Event(ctx context.Context, seq uint64) (pipeline.Event, error)
	// Link is the request that the live poll sends next.
	Link(ctx context.Context) (pipeline.Link, error)
	// Insert stores those past events that are not stored; the live poll has passed them.
	Insert(ctx context.Context, past pipeline.Past) (pipeline.Receipt, error)
}

// StoredEvent is a stored event without its data.
type StoredEvent struct {
	UUID      string
	Seq       uint64
	Published time.Time // zero: not known
}

// Report is the result of an audit.
type Report struct {
	Version  int       `json:"version"`
	Instance string    `json:"instance"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Both     int       `json:"both"`      // events that are shown and stored
	Missing  int       `json:"missing"`   // shown, and not stored
	Twice    int       `json:"twice"`     // stored more than once
	HereOnly int       `json:"here_only"` // stored, but not shown
	Waiting  int       `json:"waiting"`   // shown, but not polled yet
	Young    int       `json:"young"`     // stored, but too new for the org's search to show; not a difference
	Repaired int       `json:"repaired"`  // missing events that were stored by this audit
	Requests int       `json:"requests"`  // to the org
	Seconds  float64   `json:"seconds"`   // how long it took
	At       time.Time `json:"at"`

	MissingFirst  []Finding `json:"missing_first"` // at most 20 of each, the oldest first
	TwiceFirst    []Finding `json:"twice_first"`
	HereOnlyFirst []Finding `json:"here_only_first"`
}

// Finding is an event that an audit reports.
type Finding struct {
	UUID      string `json:"uuid"`
	Published string `json:"published"` // as the org wrote it
	Type      string `json:"type"`
	Seq       uint64 `json:"seq,omitempty"`       // stream sequence; 0: not stored
	FirstSeq  uint64 `json:"first_seq,omitempty"` // of an event stored twice: its first sequence
}

const (
	firstFindings = 20
	// mostMissing is how many missing events are kept for a repair; more need a backfill.
	mostMissing = 20_000
	// youngAge is how long the org's search may take to show an event. Okta gives no
	// bound; an older event that is not shown counts as a difference.
	youngAge = 10 * time.Minute
	// headPages is how many pages the live poll may be behind. Further behind, waiting
	// and missing events can't be told apart.
	headPages = 100
	// headWaits is how often an audit pauses for headPause until the org shows a newer
	// event: longer than the clocks of the org's own machines differ.
	headWaits = 30
	headPause = time.Second
)

// Differences returns the number of differences found.
func (r *Report) Differences() int { return r.Missing + r.Twice + r.HereOnly }

// Counts returns what STATUS keeps of the report.
func (r *Report) Counts() pipeline.Audited {
	return pipeline.Audited{At: r.At, Since: r.Since, Until: r.Until, Both: r.Both, Missing: r.Missing, Twice: r.Twice, HereOnly: r.HereOnly}
}

// Left returns the number of differences that remain after a repair.
func (r *Report) Left() int { return r.Differences() - r.Repaired }

// Errors of an audit.
var (
	// ErrBehind: the live poll is too far from the head of the log.
	ErrBehind = errors.New("the live poll is still catching up")
	// ErrTooMany: more events are missing than are kept in memory.
	ErrTooMany = fmt.Errorf("more than %d events are missing", mostMissing)
)

// Run audits. With an error it also returns what was found so far.
func (a *Audit) Run(ctx context.Context) (Report, error) {
	began := time.Now()
	h := &comparison{Audit: a, seed: maphash.MakeSeed(), salt: maphash.MakeSeed(), undated: map[uint64]bool{}, report: Report{
		Version: 1, Instance: a.Instance, Since: a.Since.UTC(), Until: a.Until.UTC(), At: began.UTC(),
		MissingFirst: []Finding{}, TwiceFirst: []Finding{}, HereOnlyFirst: []Finding{},
	}}
	err := h.run(ctx)
	h.report.Seconds = time.Since(began).Seconds()
	if err != nil {
		err = fmt.Errorf("audit %s: %w", a.Instance, err)
	}
	return h.report, err
}

// comparison is the state of a running Audit.
type comparison struct {
	*Audit
	seed, salt maphash.Seed
	report     Report
	days       []*day          // days with shown events that were not found stored
	kept       int             // events in days
	undated    map[uint64]bool // stored events without a time, by sequence; they are compared with every day. true: a day showed them
}

// day is one day of the span; only one day's ids are in memory at a time.
type day struct {
	from, until time.Time
	through     uint64                   // the sequence through which the ledger has been read
	absent      map[print]pipeline.Event // shown, and not stored when the ledger was read
	order       []print                  // the keys of absent, in the org's order
	empties     int                      // empty pages in a row
}

type print [2]uint64

func (h *comparison) printOf(uuid string) print {
	return print{maphash.String(h.seed, uuid), maphash.String(h.salt, uuid)}
}

func (h *comparison) run(ctx context.Context) error {
	for from := h.Since; from.Before(h.Until); {
		until := pipeline.Earlier(from.Truncate(24*time.Hour).Add(24*time.Hour), h.Until)
		if err := h.day(ctx, from, until); err != nil {
			return err
		}
		from = until
	}
	if err := h.undatedOnly(ctx); err != nil {
		return err
	}
	if len(h.days) > 0 {
		if err := h.settle(ctx); err != nil {
			return err
		}
	}
	if h.Repair && h.report.Missing > 0 {
		return h.repair(ctx)
	}
	return nil
}

type knownEvent struct {
	seq                   uint64
	young, shown, undated bool
}

// storedAt is a stored event's sequence, and that of an earlier copy of it; 0: none.
type storedAt struct{ seq, first uint64 }

// day compares one day. The ledger is read before the org is asked: events that are
// stored in between seem absent, and settle finds them.
func (h *comparison) day(ctx context.Context, from, until time.Time) error {
	d := &day{from: from, until: until, absent: map[print]pipeline.Event{}}
	stored := map[print]knownEvent{}
	var twice []storedAt
	through, err := h.Ledger.Stored(ctx, from, until, 0, func(e StoredEvent) {
		p := h.printOf(e.UUID)
		undated := e.Published.IsZero()
		if k, again := stored[p]; !again {
			stored[p] = knownEvent{seq: e.Seq, young: time.Since(e.Published) < youngAge, undated: undated}
		} else if !h.undated[e.Seq] {
			if undated {
				h.undated[e.Seq] = true
			}
			twice = append(twice, storedAt{e.Seq, k.seq})
		}
	})
	if err != nil {
		return fmt.Errorf("read what is stored: %w", err)
	}
	d.through = through
	if err := h.ask(ctx, d, stored); err != nil {
		return err
	}
	if len(d.absent) > 0 {
		h.days = append(h.days, d)
	}
	h.report.Twice += len(twice)
	if h.report.TwiceFirst, err = h.find(ctx, h.report.TwiceFirst, twice); err != nil {
		return err
	}
	return h.unseen(ctx, stored)
}

func (h *comparison) ask(ctx context.Context, d *day, stored map[print]knownEvent) error {
	link := h.Window(d.from, d.until)
	for link != "" {
		page, err := h.poll(ctx, link)
		if err != nil {
			return err
		}
		link, err = h.compare(page, d, stored)
		page.Memory.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// compare compares a page with what is stored of its day, and returns the next link, if any.
func (h *comparison) compare(page pipeline.Page, d *day, stored map[print]knownEvent) (pipeline.Link, error) {
	var newest time.Time
	for _, e := range page.Events {
		if e.Flaw != "" || e.Published.Before(d.from) || !e.Published.Before(d.until) {
			continue
		}
		newest = pipeline.Later(newest, e.Published)
		if err := h.show(e, d, stored); err != nil {
			return "", err
		}
	}
	if h.Progress != nil {
		h.Progress(newest, &h.report)
	}
	return h.Window.After(page, newest, d.until, &d.empties), nil
}

// pollTries is how many times in a row a request may fail.
const pollTries = 6

// poll requests a page, again after temporary failures; the Source waits for the budget.
func (h *comparison) poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	var backoff pipeline.Backoff
	for try := 1; ; try++ {
		h.report.Requests++
		page, err := h.Source.Poll(ctx, link)
		if err == nil {
			return page, nil
		}
		lasting := errors.Is(err, pipeline.ErrCredential) || errors.Is(err, pipeline.ErrConfig) || errors.Is(err, pipeline.ErrCursor)
		if lasting || try == pollTries || ctx.Err() != nil {
			return page, fmt.Errorf("ask the org: %w", err)
		}
		_ = pipeline.Sleep(ctx, backoff.Next())
	}
}

func (h *comparison) show(e pipeline.Event, d *day, stored map[print]knownEvent) error {
	p := h.printOf(e.UUID)
	if k, ok := stored[p]; ok {
		if !k.shown {
			k.shown = true
			stored[p] = k
			h.report.Both++
		}
		return nil
	}
	if _, again := d.absent[p]; again {
		return nil
	}
	if h.kept++; h.kept > mostMissing {
		return ErrTooMany
	}
	e.Data = append([]byte(nil), e.Data...) // a copy, so that the page's buffer can be freed
	d.absent[p] = e
	d.order = append(d.order, p)
	return nil
}

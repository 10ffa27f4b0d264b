package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// Audit holds what an org shows of a span of the past against what is stored of
// it, by uuid. It needs no lock and moves nothing: the poller goes on beside it.
//
// An event that the org shows and that is not stored may just not have been
// polled yet. So the live link is followed to the head afterwards, in reading
// only: what that shows is waiting, and what is neither there nor stored then is
// missing, for the live poll has passed it.
type Audit struct {
	Instance     string
	Source       Source // asks for the span, and along the live link
	Window       Window
	Ledger       Ledger
	Since, Until time.Time // published at or after, and before
	Repair       bool      // store what is missing

	// Progress, unless nil, is told after each page how far the audit is.
	Progress func(through time.Time, r *AuditReport)
}

// Ledger is what is stored of an instance. It is used by one goroutine at a time.
type Ledger interface {
	// Stored calls visit with every stored event that was published at or after
	// from and before until and stands after a sequence of the stream, in order. It
	// returns the sequence through which it looked.
	Stored(ctx context.Context, from, until time.Time, after uint64, visit func(StoredEvent)) (through uint64, err error)
	// Event reads a stored event.
	Event(ctx context.Context, seq uint64) (Event, error)
	// Link is the request that the live poll sends next.
	Link(ctx context.Context) (Link, error)
	// Insert stores events of the past that the live poll has passed and that are
	// not stored yet.
	Insert(ctx context.Context, past Past) (Receipt, error)
}

// StoredEvent is what is known of a stored event without reading it.
type StoredEvent struct {
	UUID      string
	Seq       uint64
	Published time.Time // zero: it does not say
}

// AuditReport is what an audit found.
type AuditReport struct {
	Version  int       `json:"version"`
	Instance string    `json:"instance"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Both     int       `json:"both"`      // events that the org shows and that are stored
	Missing  int       `json:"missing"`   // shown, and not stored
	Twice    int       `json:"twice"`     // stored more than once
	HereOnly int       `json:"here_only"` // stored, and not shown
	Waiting  int       `json:"waiting"`   // shown, and to be polled yet
	Young    int       `json:"young"`     // stored, and too new for the org's search to show; no difference
	Repaired int       `json:"repaired"`  // of the missing ones, stored now
	Requests int       `json:"requests"`  // to the org
	Seconds  float64   `json:"seconds"`   // that it took
	At       time.Time `json:"at"`

	MissingFirst  []Finding `json:"missing_first"` // at most 20 of each, the oldest first
	TwiceFirst    []Finding `json:"twice_first"`
	HereOnlyFirst []Finding `json:"here_only_first"`
}

// Finding names an event that an audit found.
type Finding struct {
	UUID      string `json:"uuid"`
	Published string `json:"published"` // as the org gave it
	Type      string `json:"type"`
	Seq       uint64 `json:"seq,omitempty"`       // in the stream; 0: it is not there
	FirstSeq  uint64 `json:"first_seq,omitempty"` // of one that is stored twice: where it stands first
}

const (
	firstFindings = 20
	// mostMissing is how many missing events are kept in memory, to be
	// repaired; beyond that it takes a backfill.
	mostMissing = 20_000
	// youngAge is how long the org's search may take to show an event. Okta
	// names no bound; what is older counts as a difference.
	youngAge = 10 * time.Minute
	// headPages is how many pages the live poll may be behind: what lies further
	// ahead than that can't be told from what is missing.
	headPages = 100
	// headWaits is how often an audit waits for headPause until the org shows something
	// newer: for longer than its own machines' clocks are apart.
	headWaits = 30
	headPause = time.Second
)

// Differences is how many differences were found.
func (r *AuditReport) Differences() int { return r.Missing + r.Twice + r.HereOnly }

// Left is how many differences are left after a repair.
func (r *AuditReport) Left() int { return r.Differences() - r.Repaired }

// What an audit can't do.
var (
	// ErrBehind: the live poll is far from the head of the log.
	ErrBehind = errors.New("the live poll is still catching up")
	// ErrTooMany: more is missing than is kept in memory.
	ErrTooMany = fmt.Errorf("more than %d events are missing", mostMissing)
)

// Run audits. The report is what was found so far when there is an error too.
func (a *Audit) Run(ctx context.Context) (AuditReport, error) {
	began := time.Now()
	h := &hearing{Audit: a, seed: maphash.MakeSeed(), salt: maphash.MakeSeed(), undated: map[uint64]bool{}, report: AuditReport{
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

// hearing is an Audit at work.
type hearing struct {
	*Audit
	seed, salt maphash.Seed
	report     AuditReport
	days       []*day          // those with events that are not accounted for
	kept       int             // events in days
	undated    map[uint64]bool // stored events that don't say when they happened and so are held against each day: whether one accounts for them
}

// day is a part of the span: the ids of one are held at a time.
type day struct {
	from, until time.Time
	through     uint64          // the sequence through which the ledger was read
	absent      map[print]Event // shown, and not stored when the ledger was read
	order       []print         // of those
	empties     int             // pages in a row that showed nothing
}

// print stands for a uuid.
type print [2]uint64

func (h *hearing) printOf(uuid string) print {
	return print{maphash.String(h.seed, uuid), maphash.String(h.salt, uuid)}
}

func (h *hearing) run(ctx context.Context) error {
	for from := h.Since; from.Before(h.Until); {
		until := from.Truncate(24 * time.Hour).Add(24 * time.Hour)
		if until.After(h.Until) {
			until = h.Until
		}
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

// known is a stored event.
type known struct {
	seq                   uint64
	young, shown, undated bool
}

// copied is where a stored event stands; first, where it stood before; 0: nowhere.
type copied struct{ seq, first uint64 }

// day compares one day. The ledger is read before the org is asked: what is
// stored in between looks absent, and is found in the end.
func (h *hearing) day(ctx context.Context, from, until time.Time) error {
	d := &day{from: from, until: until, absent: map[print]Event{}}
	stored := map[print]known{}
	var twice []copied
	through, err := h.Ledger.Stored(ctx, from, until, 0, func(e StoredEvent) {
		p := h.printOf(e.UUID)
		undated := e.Published.IsZero()
		if k, again := stored[p]; !again {
			stored[p] = known{seq: e.Seq, young: time.Since(e.Published) < youngAge, undated: undated}
		} else if !h.undated[e.Seq] {
			if undated {
				h.undated[e.Seq] = true
			}
			twice = append(twice, copied{e.Seq, k.seq})
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

// ask goes through what the org shows of a day.
func (h *hearing) ask(ctx context.Context, d *day, stored map[print]known) error {
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

// compare takes a page of a day. It returns the link after it; empty: it was the last.
func (h *hearing) compare(page Page, d *day, stored map[print]known) (Link, error) {
	var newest time.Time
	for _, e := range page.Events {
		if e.Flaw != "" || e.Published.Before(d.from) || !e.Published.Before(d.until) {
			continue
		}
		newest = newer(newest, e.Published)
		if err := h.show(e, d, stored); err != nil {
			return "", err
		}
	}
	if h.Progress != nil {
		h.Progress(newest, &h.report)
	}
	return h.Window.after(page, newest, d.until, &d.empties), nil
}

// pollTries is how often in a row the org may fail to answer an audit.
const pollTries = 6

// poll asks the org, again after passing failures. The Source waits for its budget.
func (h *hearing) poll(ctx context.Context, link Link) (Page, error) {
	var backoff Backoff
	for try := 1; ; try++ {
		h.report.Requests++
		page, err := h.Source.Poll(ctx, link)
		if err == nil {
			return page, nil
		}
		lasting := errors.Is(err, ErrCredential) || errors.Is(err, ErrConfig) || errors.Is(err, ErrCursor)
		if lasting || try == pollTries || ctx.Err() != nil {
			return page, fmt.Errorf("ask the org: %w", err)
		}
		_ = Sleep(ctx, backoff.Next())
	}
}

// show takes an event that the org shows.
func (h *hearing) show(e Event, d *day, stored map[print]known) error {
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
	e.Data = append([]byte(nil), e.Data...) // not the whole page with it
	d.absent[p] = e
	d.order = append(d.order, p)
	return nil
}

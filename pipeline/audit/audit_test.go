package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/pipelinetest"
)

// memoryLedger is a Ledger in memory: events by their place, and what the live
// poll is yet to serve.
type memoryLedger struct {
	stored []pipeline.Event
	live   pipeline.Link
	before func() // runs before the live link is read; nil: nothing does
}

var _ Ledger = (*memoryLedger)(nil)

func (l *memoryLedger) Stored(_ context.Context, from, until time.Time, after uint64, visit func(StoredEvent)) (uint64, error) {
	for i, e := range l.stored {
		if seq := uint64(i + 1); seq > after && (e.Published.IsZero() || !e.Published.Before(from) && e.Published.Before(until)) {
			visit(StoredEvent{UUID: e.UUID, Seq: seq, Published: e.Published})
		}
	}
	return uint64(len(l.stored)), nil
}

func (l *memoryLedger) Event(_ context.Context, seq uint64) (pipeline.Event, error) {
	return l.stored[seq-1], nil
}

func (l *memoryLedger) Link(context.Context) (pipeline.Link, error) {
	if l.before != nil {
		l.before()
	}
	return l.live, nil
}

func (l *memoryLedger) Insert(_ context.Context, past pipeline.Past) (pipeline.Receipt, error) {
	l.stored = append(l.stored, past.Events...)
	return pipeline.Receipt{Stored: len(past.Events)}, nil
}

// twoWays answers spans from an archive, and the live link from a log of its own.
type twoWays struct {
	*pipelinetest.Archive
	head *liveLog
}

func (s twoWays) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	if _, err := fmt.Sscanf(string(link), "live %d", new(int)); err == nil {
		p, err := s.head.Poll(ctx, link[5:])
		p.Link, p.Next = link, "live "+p.Next
		return p, err
	}
	return s.Archive.Poll(ctx, link)
}

// liveLog is the log of an org from its head on, three events a page. A link is a place in it.
type liveLog struct{ log []pipeline.Event }

func (o *liveLog) add(n int) {
	for i := range n {
		o.log = append(o.log, pipeline.Event{UUID: fmt.Sprint("id-", i), Published: time.Now()})
	}
}

func (o *liveLog) Poll(_ context.Context, link pipeline.Link) (pipeline.Page, error) {
	from, err := strconv.Atoi(string(link))
	to := min(from+3, len(o.log))
	return pipeline.Page{Link: link, Events: o.log[from:to], Next: pipeline.Link(strconv.Itoa(to)), Full: to-from == 3, Date: time.Now()}, err
}

// auditing is an audit of three days with an event each ten minutes.
func auditing(repair bool) (*Audit, *pipelinetest.Archive, *memoryLedger, *liveLog) {
	a, head := pipelinetest.NewArchive(pipelinetest.LongAgo, 432, 10*time.Minute), &liveLog{}
	l := &memoryLedger{stored: slices.Clone(a.Log), live: "live 0"}
	return &Audit{Instance: "prod", Source: twoWays{a, head}, Window: pipelinetest.Span, Ledger: l, Repair: repair,
		Since: pipelinetest.LongAgo, Until: pipelinetest.LongAgo.Add(72 * time.Hour)}, a, l, head
}

func wantReport(t *testing.T, r Report, both, missing, twice, hereOnly, waiting int) {
	t.Helper()
	got := [5]int{r.Both, r.Missing, r.Twice, r.HereOnly, r.Waiting}
	if got != [5]int{both, missing, twice, hereOnly, waiting} {
		t.Errorf("both, missing, twice, here only, waiting: %v, want %v", got, [5]int{both, missing, twice, hereOnly, waiting})
	}
}

func audited(t *testing.T, a *Audit) Report {
	t.Helper()
	r, err := a.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAuditFindsNoDifference(t *testing.T) {
	a, _, _, _ := auditing(false)
	r := audited(t, a)
	wantReport(t, r, 432, 0, 0, 0, 0)
	if r.Requests > 48 {
		t.Errorf("%d requests for 432 events, ten a page", r.Requests)
	}
}

func TestAuditFindsEachDifference(t *testing.T) {
	a, archive, l, _ := auditing(false)
	l.stored = append(l.stored[:100:100], l.stored[103:]...)                                                                    // three missing
	l.stored = append(l.stored, archive.Log[7], archive.Log[300])                                                               // two twice
	l.stored = append(l.stored, pipeline.Event{UUID: "only", Published: pipelinetest.LongAgo.Add(time.Hour), Time: "then"})     // one not shown
	l.stored = append(l.stored, pipeline.Event{UUID: "before", Published: pipelinetest.LongAgo.Add(-time.Hour), Time: "other"}) // and one outside
	r := audited(t, a)
	wantReport(t, r, 429, 3, 2, 1, 0)
	if r.MissingFirst[0].UUID != "old-100" || r.TwiceFirst[1].UUID != "old-300" || r.HereOnlyFirst[0].UUID != "only" || r.Left() != 6 {
		t.Errorf("%+v", r)
	}
	for i, want := range [][2]uint64{{8, 430}, {298, 431}} {
		if f := r.TwiceFirst[i]; f.FirstSeq != want[0] || f.Seq != want[1] {
			t.Errorf("%s stands at %d and %d, want %d", f.UUID, f.FirstSeq, f.Seq, want)
		}
	}
	if r.HereOnlyFirst[0].FirstSeq != 0 {
		t.Errorf("%+v", r.HereOnlyFirst[0])
	}
}

// An event without a time is compared with each day and counted once.
func TestAuditCountsWhatHasNoTimeOnce(t *testing.T) {
	a, _, l, _ := auditing(false)
	l.stored[150].Published, l.stored[300].Published = time.Time{}, time.Time{}
	l.stored = append(l.stored, pipeline.Event{UUID: "only"}, pipeline.Event{UUID: "only again"}, pipeline.Event{UUID: "only"}, l.stored[300])
	r := audited(t, a)
	wantReport(t, r, 432, 0, 2, 2, 0)
	if len(r.HereOnlyFirst) != 2 || r.HereOnlyFirst[0].Seq != 433 || r.HereOnlyFirst[1].Seq != 434 {
		t.Errorf("here only: %+v", r.HereOnlyFirst)
	}
	if len(r.TwiceFirst) != 2 || r.TwiceFirst[0].Seq != 435 || r.TwiceFirst[1].Seq != 436 {
		t.Errorf("twice: %+v", r.TwiceFirst)
	}
}

// Events that the live poll has not reached yet are not missing, nor are those that it
// stored during the audit.
func TestAuditWaitsForTheLivePoll(t *testing.T) {
	a, archive, l, head := auditing(false)
	late := l.stored[428:]
	l.stored = slices.Clone(l.stored[:428])
	head.log = append(head.log, late[1:]...) // three wait at the head
	l.before = func() { l.stored = append(l.stored, archive.Log[428]) }
	wantReport(t, audited(t, a), 429, 0, 0, 0, 3)
}

func TestAuditRepairs(t *testing.T) {
	a, archive, l, _ := auditing(true)
	l.stored = append(l.stored[:10:10], l.stored[250:]...)
	r := audited(t, a)
	wantReport(t, r, 192, 240, 0, 0, 0)
	if r.Repaired != 240 || r.Left() != 0 || len(r.MissingFirst) != firstFindings {
		t.Errorf("%+v", r)
	}
	wantReport(t, audited(t, a), 432, 0, 0, 0, 0)
	pipelinetest.WantEach(t, l.stored[192:], archive.Log[10:250]) // in the order of publication
}

// An event that is too new for the org's search is not a difference.
func TestAuditKnowsTheYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, archive, l, _ := auditing(false)
		a.Since, a.Until = time.Now().Add(-time.Hour), time.Now()
		archive.Log = nil
		l.stored = []pipeline.Event{{UUID: "old", Published: time.Now().Add(-youngAge - time.Second)}, {UUID: "new", Published: time.Now().Add(-time.Second)}}
		if r := audited(t, a); r.HereOnly != 1 || r.Young != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestAuditComesToNoEnd(t *testing.T) {
	t.Run("behind", func(t *testing.T) {
		a, _, l, head := auditing(true)
		l.stored = l.stored[1:]
		head.add(3*headPages + 1)
		if _, err := a.Run(t.Context()); !errors.Is(err, ErrBehind) || len(l.stored) != 431 {
			t.Errorf("%v, %d stored", err, len(l.stored))
		}
	})
	t.Run("refused", func(t *testing.T) {
		a, archive, _, _ := auditing(false)
		archive.Errs = map[int]error{3: pipeline.ErrCredential}
		if _, err := a.Run(t.Context()); !errors.Is(err, pipeline.ErrCredential) || len(archive.Asked) != 4 {
			t.Errorf("%v after %d requests", err, len(archive.Asked))
		}
	})
	t.Run("too many", func(t *testing.T) {
		a, archive, l, _ := auditing(true)
		archive.Log, archive.Limit, l.stored = pipelinetest.NewArchive(pipelinetest.LongAgo, mostMissing+1, time.Second).Log, 1000, nil
		if _, err := a.Run(t.Context()); !errors.Is(err, ErrTooMany) || len(l.stored) != 0 {
			t.Errorf("%v, %d stored", err, len(l.stored))
		}
	})
	t.Run("passing failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, archive, _, _ := auditing(false)
			archive.Errs = map[int]error{3: pipeline.ErrThrottled, 4: errors.New("busy"), 20: errors.New("busy")}
			wantReport(t, audited(t, a), 432, 0, 0, 0, 0)
		})
	})
}

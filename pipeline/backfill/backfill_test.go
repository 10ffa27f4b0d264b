package backfill

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/pipelinetest"
)

var kind = &pipeline.Kind{Title: "Okta", Retention: 90 * 24 * time.Hour}

// carry carries a job out, as a Runner does, and returns what it brought.
func carry(t *testing.T, b *Backfill, rounds int) (brought []pipeline.Event) {
	t.Helper()
	for range rounds {
		past, err := b.Next(t.Context(), time.Now().Add(time.Minute))
		if err != nil {
			continue
		}
		if past == nil {
			return brought
		}
		for _, e := range past.Events {
			if e.Published.Before(past.From) || !e.Published.Before(past.Until) || past.Until.Sub(past.From) > 24*time.Hour {
				t.Errorf("%s, published %v, in the span of %v to %v", e.UUID, e.Published, past.From, past.Until)
			}
		}
		brought = append(brought, past.Events...)
		if err := b.Stored(t.Context(), pipeline.Receipt{Stored: len(past.Events)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("no end after %d rounds: %+v", rounds, b.Job)
	return nil
}

func newBackfill(t *testing.T, a *pipelinetest.Archive, since, until time.Time) (*Backfill, *[]Job) {
	t.Helper()
	job, err := NewJob(kind, "1", "prod", since, until, 0, until.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	saved := new([]Job)
	return &Backfill{Job: job, Source: a, Window: pipelinetest.Span, Save: func(_ context.Context, j Job) error {
		*saved = append(*saved, j)
		return nil
	}}, saved
}

// The windows cover the span without gaps and overlaps at any density; they grow where
// there are few events and shrink where there are many.
func TestBackfillCoversItsSpan(t *testing.T) {
	for name, every := range map[string]time.Duration{"sparse": time.Hour, "even": 10 * time.Minute, "dense": 7 * time.Second} {
		t.Run(name, func(t *testing.T) {
			a := pipelinetest.NewArchive(pipelinetest.LongAgo, 2000, every)
			last := a.Log[1899].Published
			b, saved := newBackfill(t, a, pipelinetest.LongAgo.Add(every), last)
			pipelinetest.WantEach(t, carry(t, b, 5000), a.Log[1:1899])
			j := b.Job
			if j.State != JobDone || !j.DoneThrough.Equal(last) || j.Events < 1898 || j.EndedAt.IsZero() {
				t.Errorf("%+v", j)
			}
			if len(*saved) == 0 || (*saved)[len(*saved)-1].State != JobDone {
				t.Error("the end is not saved")
			}
			if n := len(a.Asked); n > 700 {
				t.Errorf("%d requests for %d events, ten a page", n, j.Events)
			}
			if name == "sparse" && j.WindowSeconds <= 3600 || name == "dense" && j.WindowSeconds >= 3600 {
				t.Errorf("windows of %v s", j.WindowSeconds)
			}
		})
	}
}

// A restart goes on with the current window: events of that window may come again,
// earlier ones do not.
func TestBackfillGoesOn(t *testing.T) {
	a := pipelinetest.NewArchive(pipelinetest.LongAgo, 300, time.Minute)
	b, saved := newBackfill(t, a, pipelinetest.LongAgo, pipelinetest.LongAgo.Add(5*time.Hour))
	for b.Job.Windows < 2 {
		if _, err := b.Next(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_ = b.Stored(t.Context(), pipeline.Receipt{})
	}
	if _, err := b.Next(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	job := (*saved)[len(*saved)-1]
	next := &Backfill{Job: job, Source: a, Window: pipelinetest.Span, Save: b.Save}
	first := slices.IndexFunc(a.Log, func(e pipeline.Event) bool { return !e.Published.Before(job.DoneThrough) })
	pipelinetest.WantEach(t, carry(t, next, 100), a.Log[first:300])
}

// An error moves nothing and is returned; a refused cursor begins the window again; a
// full page without a next link is not taken for the last one.
func TestBackfillAfterErrors(t *testing.T) {
	a := pipelinetest.NewArchive(pipelinetest.LongAgo, 300, time.Minute)
	a.Errs = map[int]error{2: errors.New("busy"), 9: pipeline.ErrCursor, 10: pipeline.ErrThrottled}
	a.Mute = map[int]bool{5: true, 6: true, 14: true}
	b, saved := newBackfill(t, a, pipelinetest.LongAgo, pipelinetest.LongAgo.Add(5*time.Hour))
	got := carry(t, b, 200)
	slices.SortStableFunc(got, func(x, y pipeline.Event) int { return x.Published.Compare(y.Published) })
	pipelinetest.WantEach(t, got, a.Log[:300])
	told := slices.ContainsFunc(*saved, func(j Job) bool { return strings.Contains(j.LastError, "busy") })
	if !told || b.Job.LastError != "" {
		t.Errorf("told: %v; last error %q", told, b.Job.LastError)
	}
}

// An empty page with a next link is not the last of its window, unless too many of them
// come in a row.
func TestBackfillFollowsEmptyPages(t *testing.T) {
	a := pipelinetest.NewArchive(pipelinetest.LongAgo, 300, time.Minute)
	a.Hollow = map[int]bool{0: true, 1: true, 4: true, 6: true, 7: true}
	b, _ := newBackfill(t, a, pipelinetest.LongAgo, pipelinetest.LongAgo.Add(5*time.Hour))
	pipelinetest.WantEach(t, carry(t, b, 200), a.Log[:300])
	for n := range 10_000 {
		a.Hollow[n] = true
	}
	b, _ = newBackfill(t, a, pipelinetest.LongAgo, pipelinetest.LongAgo.Add(5*time.Hour))
	if carry(t, b, 200); !b.Job.Ended() {
		t.Errorf("it does not end: %+v", b.Job)
	}
}

// Apart from the first, no request begins after the head of the log is due.
func TestBackfillLetsTheHeadGoFirst(t *testing.T) {
	a := pipelinetest.NewArchive(pipelinetest.LongAgo, 3000, time.Second)
	b, _ := newBackfill(t, a, pipelinetest.LongAgo, pipelinetest.LongAgo.Add(time.Hour))
	if _, err := b.Next(t.Context(), time.Now().Add(-time.Second)); err != nil || len(a.Asked) != 1 {
		t.Errorf("%d requests, %v", len(a.Asked), err)
	}
}

func TestNewJob(t *testing.T) {
	now := pipelinetest.LongAgo.Add(24 * time.Hour)
	for _, c := range []struct {
		since, until time.Time
		share        float64
		wrong        string
	}{
		{pipelinetest.LongAgo, now, 0, ""},
		{pipelinetest.LongAgo.Add(-200 * 24 * time.Hour), now, 1, ""}, // clamped
		{now, pipelinetest.LongAgo, 0, "is not before until"},
		{pipelinetest.LongAgo, now.Add(time.Hour), 0, "in the future"},
		{pipelinetest.LongAgo, now, 1.5, "share"},
		{pipelinetest.LongAgo, now, -1, "share"},
		{now.Add(-200 * 24 * time.Hour), now.Add(-100 * 24 * time.Hour), 0, "90 days"},
	} {
		j, err := NewJob(kind, "1", "prod", c.since, c.until, c.share, now)
		if c.wrong == "" {
			if err != nil || j.Since.Before(now.Add(-kind.Retention)) || j.State != JobWaiting {
				t.Errorf("%v to %v: %+v, %v", c.since, c.until, j, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%v to %v, share %v: %v, want %q", c.since, c.until, c.share, err, c.wrong)
		}
	}
}

func TestJobLeft(t *testing.T) {
	j := Job{State: JobRunning, Since: pipelinetest.LongAgo, Until: pipelinetest.LongAgo.Add(4 * time.Hour), DoneThrough: pipelinetest.LongAgo.Add(time.Hour), StartedAt: pipelinetest.LongAgo}
	if left := j.Left(pipelinetest.LongAgo.Add(time.Minute)); left != 3*time.Minute {
		t.Errorf("a quarter took a minute, and %v are left", left)
	}
	j.State = JobDone
	if left := j.Left(pipelinetest.LongAgo.Add(time.Minute)); left != 0 {
		t.Errorf("done, and %v are left", left)
	}
}

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// archive is a Source of the past: it answers requests for spans in the order of
// publication. A link is "since until offset", times in milliseconds.
type archive struct {
	limit  int
	log    []Event
	asked  []string
	errs   map[int]error // of the nth request
	hollow map[int]bool  // the nth answer is empty and leads on
	mute   map[int]bool  // the nth answer names no next link, whatever it is
}

func span(since, until time.Time) Link {
	return Link(fmt.Sprintf("%d %d 0", since.UnixMilli(), until.UnixMilli()))
}

func (a *archive) Poll(_ context.Context, link Link) (Page, error) {
	a.asked = append(a.asked, string(link))
	n := len(a.asked) - 1
	if err := a.errs[n]; err != nil {
		return Page{}, err
	}
	var since, until int64
	var offset int
	if _, err := fmt.Sscan(string(link), &since, &until, &offset); err != nil {
		return Page{}, err
	}
	var found []Event
	for _, e := range a.log {
		if ms := e.Published.UnixMilli(); ms >= since && ms < until {
			found = append(found, e)
		}
	}
	if a.hollow[n] {
		return Page{Link: link, Next: link + " "}, nil
	}
	end := min(offset+a.limit, len(found))
	p := Page{Link: link, Next: link, Events: found[offset:end], Full: end-offset == a.limit}
	if end < len(found) && !a.mute[n] {
		p.Next = Link(fmt.Sprintf("%d %d %d", since, until, end))
	}
	return p, nil
}

// year is an archive with events each so often, from a time on.
func year(from time.Time, n int, every time.Duration) *archive {
	a := &archive{limit: 10}
	for i := range n {
		at := from.Add(time.Duration(i) * every)
		a.log = append(a.log, Event{UUID: fmt.Sprint("old-", i), Published: at, Time: at.Format(time.RFC3339), Data: fmt.Append(nil, i)})
	}
	return a
}

var longAgo = time.Date(2026, 10, 1, 7, 30, 0, 0, time.UTC)

// carry carries a job out, as a Runner does, and returns what it brought.
func carry(t *testing.T, b *Backfill, rounds int) (brought []Event) {
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
		if err := b.Stored(t.Context(), Receipt{Stored: len(past.Events)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("no end after %d rounds: %+v", rounds, b.Job)
	return nil
}

func newBackfill(t *testing.T, a *archive, since, until time.Time) (*Backfill, *[]Job) {
	t.Helper()
	job, err := NewJob("1", "prod", since, until, 0, until.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	saved := new([]Job)
	return &Backfill{Job: job, Source: a, Window: span, Save: func(_ context.Context, j Job) error {
		*saved = append(*saved, j)
		return nil
	}}, saved
}

// wantEach compares by uuid. An event that comes again right after itself does no
// harm: the sink knows it.
func wantEach(t *testing.T, got []Event, want []Event) {
	t.Helper()
	got = slices.CompactFunc(slices.Clone(got), func(x, y Event) bool { return x.UUID == y.UUID })
	for i := range min(len(got), len(want)) {
		if got[i].UUID != want[i].UUID {
			t.Fatalf("event %d is %s, want %s", i, got[i].UUID, want[i].UUID)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("brought %d, want %d", len(got), len(want))
	}
}

// The windows cover the span, without a gap and without an overlap, whatever the
// density; they grow where little is and shrink where much is.
func TestBackfillCoversItsSpan(t *testing.T) {
	for name, every := range map[string]time.Duration{"sparse": time.Hour, "even": 10 * time.Minute, "dense": 7 * time.Second} {
		t.Run(name, func(t *testing.T) {
			a := year(longAgo, 2000, every)
			last := a.log[1899].Published
			b, saved := newBackfill(t, a, longAgo.Add(every), last)
			wantEach(t, carry(t, b, 5000), a.log[1:1899])
			j := b.Job
			if j.State != JobDone || !j.DoneThrough.Equal(last) || j.Events < 1898 || j.EndedAt.IsZero() {
				t.Errorf("%+v", j)
			}
			if len(*saved) == 0 || (*saved)[len(*saved)-1].State != JobDone {
				t.Error("the end is not saved")
			}
			if n := len(a.asked); n > 700 {
				t.Errorf("%d requests for %d events, ten a page", n, j.Events)
			}
			if name == "sparse" && j.WindowSeconds <= 3600 || name == "dense" && j.WindowSeconds >= 3600 {
				t.Errorf("windows of %v s", j.WindowSeconds)
			}
		})
	}
}

// A restart goes on with the window at hand; what of it was brought already comes
// again, and nothing before it does.
func TestBackfillGoesOn(t *testing.T) {
	a := year(longAgo, 300, time.Minute)
	b, saved := newBackfill(t, a, longAgo, longAgo.Add(5*time.Hour))
	for b.Job.Windows < 2 {
		if _, err := b.Next(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_ = b.Stored(t.Context(), Receipt{})
	}
	if _, err := b.Next(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	job := (*saved)[len(*saved)-1]
	next := &Backfill{Job: job, Source: a, Window: span, Save: b.Save}
	first := slices.IndexFunc(a.log, func(e Event) bool { return !e.Published.Before(job.DoneThrough) })
	wantEach(t, carry(t, next, 100), a.log[first:300])
}

// An error moves nothing and is told; a refused cursor begins the window again;
// a full page that names no next link is not taken for the last one.
func TestBackfillAfterErrors(t *testing.T) {
	a := year(longAgo, 300, time.Minute)
	a.errs = map[int]error{2: errors.New("busy"), 9: ErrCursor, 10: ErrThrottled}
	a.mute = map[int]bool{5: true, 6: true, 14: true}
	b, saved := newBackfill(t, a, longAgo, longAgo.Add(5*time.Hour))
	got := carry(t, b, 200)
	slices.SortStableFunc(got, func(x, y Event) int { return x.Published.Compare(y.Published) })
	wantEach(t, got, a.log[:300])
	told := slices.ContainsFunc(*saved, func(j Job) bool { return strings.Contains(j.LastError, "busy") })
	if !told || b.Job.LastError != "" {
		t.Errorf("told: %v; last error %q", told, b.Job.LastError)
	}
}

// An empty page that leads on is not the last of its window, unless they go on for ever.
func TestBackfillFollowsEmptyPages(t *testing.T) {
	a := year(longAgo, 300, time.Minute)
	a.hollow = map[int]bool{0: true, 1: true, 4: true, 6: true, 7: true}
	b, _ := newBackfill(t, a, longAgo, longAgo.Add(5*time.Hour))
	wantEach(t, carry(t, b, 200), a.log[:300])
	for n := range 10_000 {
		a.hollow[n] = true
	}
	b, _ = newBackfill(t, a, longAgo, longAgo.Add(5*time.Hour))
	if carry(t, b, 200); !b.Job.Ended() {
		t.Errorf("it does not end: %+v", b.Job)
	}
}

// No request begins after the head of the log is due, but for the first.
func TestBackfillLetsTheHeadGoFirst(t *testing.T) {
	a := year(longAgo, 3000, time.Second)
	b, _ := newBackfill(t, a, longAgo, longAgo.Add(time.Hour))
	if _, err := b.Next(t.Context(), time.Now().Add(-time.Second)); err != nil || len(a.asked) != 1 {
		t.Errorf("%d requests, %v", len(a.asked), err)
	}
}

func TestNewJob(t *testing.T) {
	now := longAgo.Add(24 * time.Hour)
	for _, c := range []struct {
		since, until time.Time
		share        float64
		wrong        string
	}{
		{longAgo, now, 0, ""},
		{longAgo.Add(-200 * 24 * time.Hour), now, 1, ""}, // clamped
		{now, longAgo, 0, "is not before until"},
		{longAgo, now.Add(time.Hour), 0, "in the future"},
		{longAgo, now, 1.5, "share"},
		{longAgo, now, -1, "share"},
		{now.Add(-200 * 24 * time.Hour), now.Add(-100 * 24 * time.Hour), 0, "90 days"},
	} {
		j, err := NewJob("1", "prod", c.since, c.until, c.share, now)
		if c.wrong == "" {
			if err != nil || j.Since.Before(now.Add(-Retention)) || j.State != JobWaiting {
				t.Errorf("%v to %v: %+v, %v", c.since, c.until, j, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%v to %v, share %v: %v, want %q", c.since, c.until, c.share, err, c.wrong)
		}
	}
}

func TestJobLeft(t *testing.T) {
	j := Job{State: JobRunning, Since: longAgo, Until: longAgo.Add(4 * time.Hour), DoneThrough: longAgo.Add(time.Hour), StartedAt: longAgo}
	if left := j.Left(longAgo.Add(time.Minute)); left != 3*time.Minute {
		t.Errorf("a quarter took a minute, and %v are left", left)
	}
	j.State = JobDone
	if left := j.Left(longAgo.Add(time.Minute)); left != 0 {
		t.Errorf("done, and %v are left", left)
	}
}

// Package pipelinetest holds a fixture that the tests of packages audit and backfill
// share: an org that answers requests for the past from memory.
package pipelinetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// Archive is a pipeline.Source of the past: it answers requests for spans in the order of
// publication. A link is "since until offset", times in milliseconds.
type Archive struct {
	Limit  int
	Log    []pipeline.Event
	Asked  []string
	Errs   map[int]error // of the nth request
	Hollow map[int]bool  // the nth answer is empty and leads on
	Mute   map[int]bool  // the nth answer names no next link, whatever it is
}

// Span makes the request for what was published at or after since and before until.
func Span(since, until time.Time) pipeline.Link {
	return pipeline.Link(fmt.Sprintf("%d %d 0", since.UnixMilli(), until.UnixMilli()))
}

func (a *Archive) Poll(_ context.Context, link pipeline.Link) (pipeline.Page, error) {
	a.Asked = append(a.Asked, string(link))
	n := len(a.Asked) - 1
	if err := a.Errs[n]; err != nil {
		return pipeline.Page{}, err
	}
	var since, until int64
	var offset int
	if _, err := fmt.Sscan(string(link), &since, &until, &offset); err != nil {
		return pipeline.Page{}, err
	}
	var found []pipeline.Event
	for _, e := range a.Log {
		if ms := e.Published.UnixMilli(); ms >= since && ms < until {
			found = append(found, e)
		}
	}
	if a.Hollow[n] {
		return pipeline.Page{Link: link, Next: link + " "}, nil
	}
	end := min(offset+a.Limit, len(found))
	p := pipeline.Page{Link: link, Next: link, Events: found[offset:end], Full: end-offset == a.Limit}
	if end < len(found) && !a.Mute[n] {
		p.Next = pipeline.Link(fmt.Sprintf("%d %d %d", since, until, end))
	}
	return p, nil
}

// NewArchive makes an Archive of ten events a page, with events each so often, from a time on.
func NewArchive(from time.Time, n int, every time.Duration) *Archive {
	a := &Archive{Limit: 10}
	for i := range n {
		at := from.Add(time.Duration(i) * every)
		a.Log = append(a.Log, pipeline.Event{UUID: fmt.Sprint("old-", i), Published: at, Time: at.Format(time.RFC3339), Data: fmt.Append(nil, i)})
	}
	return a
}

// LongAgo is when an Archive begins.
var LongAgo = time.Date(2026, 10, 1, 7, 30, 0, 0, time.UTC)

// WantEach compares by uuid. An event that comes again right after itself does no
// harm: the sink knows it.
func WantEach(t *testing.T, got []pipeline.Event, want []pipeline.Event) {
	t.Helper()
	got = slices.CompactFunc(slices.Clone(got), func(x, y pipeline.Event) bool { return x.UUID == y.UUID })
	for i := range min(len(got), len(want)) {
		if got[i].UUID != want[i].UUID {
			t.Fatalf("event %d is %s, want %s", i, got[i].UUID, want[i].UUID)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("brought %d, want %d", len(got), len(want))
	}
}

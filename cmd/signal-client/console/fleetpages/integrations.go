package fleetpages

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/pipeline"
)

// listShown is the data of the list.
type listShown struct {
	*view.Fleet
	Filters []filter
	Tiles   []tile
	Blank   tile   // what integrations.js makes tiles of that come later
	Search  string // typed in the search box
	Shown   int    // tiles that fit search and filter
}

// filter is a state by which the list can be filtered.
type filter struct {
	view.StateCount
	On bool
}

// tile is an integration in the list.
type tile struct {
	view.Integration
	Hidden bool // by search or filter
}

func (p *pages) integrations(w http.ResponseWriter, r *http.Request) {
	f := p.View.Fleet()
	q := r.URL.Query()
	l := listShown{Fleet: f, Search: q.Get("q"), Filters: filters(f, q["state"]), Blank: blank()}
	for _, i := range f.Integrations {
		t := tile{Integration: i, Hidden: !fits(i, l.Search, q["state"])}
		if !t.Hidden {
			l.Shown++
		}
		l.Tiles = append(l.Tiles, t)
	}
	p.Page.Render(w, r, http.StatusOK, "fleet/integrations", l)
}

// filters are all states, with how many integrations are in each.
func filters(f *view.Fleet, chosen []string) []filter {
	var all []filter
	for _, s := range view.States() {
		c := view.StateCount{State: s, Class: view.ClassOf(s)}
		if n := slices.IndexFunc(f.States, func(c view.StateCount) bool { return c.State == s }); n >= 0 {
			c.Count = f.States[n].Count
		}
		all = append(all, filter{StateCount: c, On: slices.Contains(chosen, c.Slug())})
	}
	return all
}

// fits reports whether an integration is one that the reader asked for, as
// integrations.js does.
func fits(i view.Integration, search string, states []string) bool {
	if len(states) > 0 && !slices.Contains(states, i.Slug()) {
		return false
	}
	text := strings.ToLower(strings.Join([]string{i.Name, i.Instance, i.Org, string(i.State), i.Holder, i.LastError}, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func blank() tile {
	return tile{Integration: view.Integration{Status: pipeline.Status{State: pipeline.StateNew}, Class: view.ClassOf(pipeline.StateNew)}}
}

// Bars is the small chart of the last hour.
func (t tile) Bars() string { return bars(t.Hour) }

// Estimate is when an integration that catches up will have done so; zero: not known.
func (t tile) Estimate() time.Time {
	if t.State != pipeline.StateCatchingUp || t.CatchUpSec == nil {
		return time.Time{}
	}
	return t.UpdatedAt.Add(time.Duration(*t.CatchUpSec * float64(time.Second)))
}

// Countdown is when the next try is due, for states that wait for one; zero: nothing is
// known.
func (t tile) Countdown() time.Time {
	switch t.State {
	case pipeline.StateThrottled, pipeline.StateRetrying, pipeline.StateRefused:
		return t.NextPoll
	}
	return time.Time{}
}

// EventAt is when the newest event happened; zero: there is none, or its time is no time.
func (t tile) EventAt() time.Time {
	if t.LastEvent == nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, t.LastEvent.Published)
	if err != nil {
		return time.Time{}
	}
	return at
}

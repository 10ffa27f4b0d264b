package view

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/overview"
)

// look renews the picture, and tells the followers if it changed.
func (v *View) look(now time.Time) {
	seen := v.watcher.Look()
	next := v.picture(seen, now)
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.fleet
	next.id = before.id + 1
	changed := v.compare(before, next)
	if !changed && same(before, next) {
		next.id = before.id // the same, with a newer time
		v.fleet = next
		return
	}
	v.fleet = next
	close(v.news)
	v.news = make(chan struct{})
}

// picture returns what the buckets and counters show now.
func (v *View) picture(seen overview.Overview, now time.Time) *Fleet {
	f := &Fleet{
		At: now.UTC(), Complete: seen.Complete,
		States: []StateCount{}, Integrations: []Integration{},
		Replicas: overview.Shares(seen.Replicas), PerSecond: v.activity.Rates(now),
		Index: v.index(),
	}
	if seen.Away != nil {
		f.Away = seen.Away.Error()
	}
	sum, letters := v.letters.Counts()
	f.DeadLetters = sum
	counts := map[pipeline.State]int{}
	for _, s := range overview.Statuses(seen, now) {
		i := v.integration(wakeful(s, now), seen, now)
		i.DeadLetters = letters[i.Instance]
		counts[i.State]++
		f.Integrations = append(f.Integrations, i)
	}
	slices.SortFunc(f.Integrations, func(a, b Integration) int {
		return cmp.Or(Severity(b.State)-Severity(a.State), strings.Compare(a.Instance, b.Instance))
	})
	for _, state := range States() {
		if counts[state] > 0 {
			f.States = append(f.States, StateCount{State: state, Class: ClassOf(state), Count: counts[state]})
		}
	}
	return f
}

// integration completes a status.
func (v *View) integration(s pipeline.Status, seen overview.Overview, now time.Time) Integration {
	i := Integration{Status: s, Class: ClassOf(s.State), Remedy: remedyOf(s)}
	entry, stored := seen.Entries[s.Instance]
	at := entry.Integration
	if w, static := orgs.FromStatus(s); !stored && static {
		i.Static = true
		at, _ = orgs.ReadEnvironment(w, "") // what can't be read is not shown
	}
	i.Name = cmp.Or(at.Name, s.Instance)
	_, i.Org, _ = strings.Cut(at.Origin, "://")
	i.Interval = at.PollInterval.Seconds()
	i.Pace = v.paces[s.Instance].Next(s, now)
	v.paces[s.Instance] = i.Pace
	v.activity.Complete(&i, now)
	if i.UpdatedAt.IsZero() { // no process has written its status yet
		if v.born[s.Instance].IsZero() {
			v.born[s.Instance] = now.UTC()
		}
		i.UpdatedAt = v.born[s.Instance]
	}
	return i
}

func (v *View) index() Index {
	if v.config.Progress == nil {
		return Index{State: "off"}
	}
	p := v.config.Progress()
	return Index{
		State: p.State, Rebuilding: p.Rebuilding, Stream: p.Stream, Indexed: p.Indexed, Behind: p.Behind,
		Through: p.Through, Refused: p.Refused, Trouble: p.Trouble, Remedy: p.Remedy,
	}
}

// mostRemoved is how many removals are remembered for followers that come back.
const mostRemoved = 1000

// compare dates each integration's last change, and reports whether any changed.
func (v *View) compare(before, next *Fleet) (changed bool) {
	old := make(map[string]bool, len(before.Integrations))
	for n := range before.Integrations {
		old[before.Integrations[n].Instance] = true
	}
	busy := 0 // integrations of which only figures changed
	for n := range next.Integrations {
		i := &next.Integrations[n]
		delete(old, i.Instance)
		was, is := v.told[i.Instance], still(*i)
		i.changed = was.id
		if reflect.DeepEqual(was.Integration, is) {
			continue
		}
		if reflect.DeepEqual(calm(was.Integration), calm(is)) {
			if busy++; busy > mostBusy && next.At.Sub(was.at) < figuresEvery {
				continue
			}
		}
		i.changed, changed = next.id, true
		v.told[i.Instance] = telling{is, next.id, next.At}
		delete(v.removed, i.Instance)
	}
	if len(v.removed) > mostRemoved {
		clear(v.removed)
		v.floor = next.id
	}
	for instance := range old {
		v.removed[instance], changed = next.id, true
		delete(v.paces, instance)
		delete(v.told, instance)
		delete(v.born, instance)
	}
	return changed
}

// Figures of a large busy fleet are told every few seconds: each of so many integrations
// changes with each look.
const (
	mostBusy     = 50
	figuresEvery = 5 * time.Second
)

// telling is what followers were told of an integration, with which picture, and when.
type telling struct {
	Integration // as still returns it
	id          uint64
	at          time.Time
}

// calm returns an integration without its figures.
func calm(i Integration) Integration {
	first := i.LastEvent != nil
	i = Integration{
		Status: pipeline.Status{State: i.State, StateSince: i.StateSince, Holder: i.Holder, Breaker: i.Breaker, LastError: i.LastError},
		Name:   i.Name, Org: i.Org, Remedy: i.Remedy, Interval: i.Interval, DeadLetters: i.DeadLetters,
	}
	if first {
		i.Events = 1 // the first event is told at once
	}
	return i
}

// still returns an integration without what changes with each look, though nothing is
// heard of it: its lag, and rates that sink from poll to poll.
func still(i Integration) Integration {
	i.LagSeconds, i.changed, i.Pace = 0, 0, overview.Pace{}
	return i
}

// same reports whether two pictures differ in nothing but their time and their
// integrations.
func same(a, b *Fleet) bool {
	return a.Complete == b.Complete && a.Away == b.Away && a.DeadLetters == b.DeadLetters && a.Index == b.Index &&
		slices.Equal(a.PerSecond, b.PerSecond) && reflect.DeepEqual(a.Replicas, b.Replicas)
}

// gone returns the instances that were removed after a change.
func (v *View) gone(after uint64) []string {
	var gone []string
	for instance, id := range v.removed {
		if id > after {
			gone = append(gone, instance)
		}
	}
	slices.Sort(gone)
	return gone
}

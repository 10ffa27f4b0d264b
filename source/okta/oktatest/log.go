package oktatest

import (
	"cmp"
	"slices"
	"sort"
	"sync/atomic"
	"time"
)

// key is a place in the order of persistence. A cursor is a key, so it keeps its place
// however many events are added before or after it.
type key struct {
	millis int64 // of the persistence
	serial int64 // in order of arrival; 0 comes before everything in that millisecond
}

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.millis, other.millis), cmp.Compare(k.serial, other.serial))
}

// record is an event in the log. It never changes.
type record struct {
	Event
	key    key
	fields atomic.Pointer[map[string]any] // for filters, decoded when first needed
}

func (r *record) visible() time.Time {
	if r.Visible.After(r.Persisted) {
		return r.Visible
	}
	return r.Persisted
}

// eventLog is the log in order of persistence: first the base, made on demand, then the
// added events.
type eventLog struct {
	base   *synth    // nil: none
	tail   []*record // sorted by key
	serial int64     // of the newest added event
	most   int       // length of tail that is kept; 0: any

	index publishedIndex // for bounded requests
}

func (l *eventLog) add(e Event) {
	if l.base != nil && e.Persisted.Before(l.base.end()) {
		e.Persisted = l.base.end()
	}
	l.serial++
	r := &record{Event: e, key: key{e.Persisted.UnixMilli(), l.serial}}
	at := len(l.tail)
	if at > 0 && l.tail[at-1].key.compare(r.key) > 0 {
		at = sort.Search(at, func(i int) bool { return l.tail[i].key.compare(r.key) > 0 })
	}
	l.tail = slices.Insert(l.tail, at, r)
	if over := len(l.tail) - l.most; l.most > 0 && over > l.most/5 {
		l.tail = slices.Clone(l.tail[over:]) // a new array: the old one holds what was dropped
	}
	l.index.stale = true
}

func (l *eventLog) len() int { return l.base.len() + len(l.tail) }

// after returns the place of the first event after k.
func (l *eventLog) after(k key) int {
	n := l.base.after(k)
	if n < l.base.len() {
		return n
	}
	return n + sort.Search(len(l.tail), func(i int) bool { return l.tail[i].key.compare(k) > 0 })
}

// holds reports whether there is an event at k.
func (l *eventLog) holds(k key) bool {
	i := l.after(key{k.millis, k.serial - 1})
	return i < l.len() && l.key(i) == k
}

func (l *eventLog) key(i int) key {
	if n := l.base.len(); i >= n {
		return l.tail[i-n].key
	}
	return l.base.key(i)
}

// record returns the event at a place, creating it if it belongs to the base.
func (l *eventLog) record(i int) *record {
	if n := l.base.len(); i >= n {
		return l.tail[i-n]
	}
	return &record{Event: l.base.event(i), key: l.base.key(i)}
}

func (l *eventLog) event(i int) Event { return l.record(i).Event }

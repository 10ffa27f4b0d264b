package oktatest

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// publishedIndex is the log in order of publication, for bounded requests. It is built on
// demand, and again after the log has changed.
type publishedIndex struct {
	stale  bool
	sorted []*record
	byUUID map[string]*record
}

func comparePublished(a, b *record) int {
	return cmp.Or(a.Published.Compare(b.Published), cmp.Compare(a.key.serial, b.key.serial))
}

func (l *eventLog) published() *publishedIndex {
	x := &l.index
	if x.byUUID != nil && !x.stale {
		return x
	}
	*x = publishedIndex{sorted: make([]*record, 0, l.len()), byUUID: make(map[string]*record, l.len())}
	for i := range l.len() {
		r := l.record(i)
		x.sorted = append(x.sorted, r)
		x.byUUID[r.UUID] = r
	}
	slices.SortStableFunc(x.sorted, comparePublished)
	return x
}

// findBounded finds the events published from since up to, but not including, until. The
// last page has no cursor. An event that is persisted between two pages, and published
// before the second one's place, is missed, as Okta warns.
func (o *Org) findBounded(q query, now time.Time, room int) (page, *apiError) {
	until := q.until
	if until.IsZero() {
		until = now
	}
	if until.Before(q.since) {
		return page{}, invalid("until", "must not be before 'since'.")
	}
	x := o.log.published()
	at, err := x.start(q, until)
	if err != nil {
		return page{}, err
	}
	p := page{}
	n := max(0, q.limit-room)
	var last *record
	for r := range x.walk(at, q.descending) {
		if outside(r, q, until) {
			break
		}
		if !o.indexed(r, now) || q.match != nil && !q.match(r) {
			continue
		}
		if len(p.elements) == n {
			p.next = x.next(q, last)
			break
		}
		p.elements, last = append(p.elements, element{rec: r}), r
	}
	return p, nil
}

// start returns the place in the index where a query begins.
func (x *publishedIndex) start(q query, until time.Time) (int, *apiError) {
	if q.after != "" {
		r := x.byUUID[q.after]
		if r == nil {
			return 0, invalidCursor()
		}
		at, _ := slices.BinarySearchFunc(x.sorted, r, comparePublished)
		if q.descending {
			return at - 1, nil
		}
		return at + 1, nil
	}
	from := func(t time.Time) int {
		return sort.Search(len(x.sorted), func(i int) bool { return !x.sorted[i].Published.Before(t) })
	}
	if q.descending {
		return from(until) - 1, nil
	}
	return from(q.since), nil
}

// walk walks through the index from a place.
func (x *publishedIndex) walk(at int, back bool) func(func(*record) bool) {
	return func(yield func(*record) bool) {
		step := 1
		if back {
			step = -1
		}
		for ; at >= 0 && at < len(x.sorted) && yield(x.sorted[at]); at += step {
		}
	}
}

func outside(r *record, q query, until time.Time) bool {
	return r.Published.Before(q.since) || !r.Published.Before(until)
}

// indexed reports whether bounded requests see the event yet.
func (o *Org) indexed(r *record, now time.Time) bool {
	return !r.visible().Add(o.config.Lag.Index).After(now) && !r.Published.Before(now.Add(-Retention))
}

// next returns the cursor after an event. A snapshot, descending without an until, has no
// second page.
func (x *publishedIndex) next(q query, last *record) string {
	if q.until.IsZero() || last == nil {
		return ""
	}
	return last.UUID
}

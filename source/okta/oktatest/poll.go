package oktatest

import (
	"slices"
	"time"
)

// page is the result of a query.
type page struct {
	elements []element
	next     string // cursor to continue from; empty: the answer has none
	newer    string // on an empty page: a newer cursor that misses nothing
	held     bool   // more events are waiting than it shows: next moves in any case
}

// element is one element of a page: an event of the base, a record, or raw bytes.
type element struct {
	base int // place in the base when record and raw are nil
	rec  *record
	raw  []byte
}

// find runs a query.
func (o *Org) find(q query, now time.Time, x extras, req Request) (page, *apiError) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !q.polling() {
		return o.findBounded(q, now, x.room())
	}
	return o.poll(q, now, x, req)
}

// poll finds the events persisted since a time or after a cursor. There is always a next
// cursor.
func (o *Org) poll(q query, now time.Time, x extras, req Request) (page, *apiError) {
	room := x.room()
	from := key{millis: q.since.Add(time.Millisecond - 1).UnixMilli()}
	if q.after != "" {
		var ok bool
		if from, ok = o.cursors.parse(q.after, &o.log); !ok {
			return page{}, o.cursors.refusal()
		}
	}
	p := page{}
	repeats := o.repeats(from, q.limit, req)
	if room += len(repeats); room >= q.limit {
		room, repeats = 0, nil
	}
	last := o.collect(&p, q, from, now, q.limit-room)
	if first, ok := o.waiting(p); ok && x.held {
		if on := halfway(q, from, first); on.millis > from.millis {
			return page{next: o.cursors.format(on), held: true}, nil
		}
	}
	p.next = o.cursors.format(last)
	if len(p.elements) > 0 {
		p.elements = slices.Concat(repeats, p.elements)
	} else if p.newer = p.next; q.limit > 0 && last.millis < now.UnixMilli() {
		p.newer = o.cursors.format(key{millis: now.UnixMilli()})
	}
	return p, nil
}

// waiting returns the place of a page's first event.
func (o *Org) waiting(p page) (key, bool) {
	if len(p.elements) == 0 {
		return key{}, false
	}
	if rec := p.elements[0].rec; rec != nil {
		return rec.key, true
	}
	return o.log.key(p.elements[0].base), true
}

// halfway returns a place between a cursor and the first event waiting after it: first in
// the middle, then right before that event, and then none.
func halfway(q query, from, first key) key {
	if q.after != "" && from.serial == 0 {
		return key{millis: first.millis - 1}
	}
	return key{millis: from.millis + (first.millis-from.millis)/2}
}

// collect adds up to n visible events after a place, and returns the place of the last.
// An event that becomes visible later is skipped, and is behind the cursor if one after
// it is taken.
func (o *Org) collect(p *page, q query, from key, now time.Time, n int) key {
	oldest := now.Add(-Retention)
	nowMillis := now.UnixMilli()
	last := from
	base := o.log.base.len()
	for i := o.log.after(from); i < o.log.len() && len(p.elements) < n; i++ {
		k := o.log.key(i)
		if k.millis > nowMillis {
			break
		}
		e := element{base: i}
		if i >= base || q.match != nil {
			r := o.log.record(i)
			if r.visible().After(now) || r.Published.Before(oldest) || q.match != nil && !q.match(r) {
				continue
			}
			e.rec = r
		}
		p.elements = append(p.elements, e)
		last = k
	}
	return last
}

// repeats decides at random whether the page begins with the event at its cursor, the
// last one of the previous page.
func (o *Org) repeats(from key, limit int, req Request) []element {
	if o.config.RepeatAcross == 0 || from.serial == 0 || limit < 2 {
		return nil
	}
	r := chance(o.config.Seed, chanceAcross, uint64(req.N))
	if r.Float64() >= o.config.RepeatAcross {
		return nil
	}
	i := o.log.after(key{from.millis, from.serial - 1})
	return []element{again(element{rec: o.log.record(i)}, r, o.config.Conflicts)}
}

// Purposes of random choices.
const (
	chanceAcross = iota + 1
	chanceWithin
	chanceLinks
	chanceWindow
	chanceEvent
	chanceWeather
	chanceRun
)

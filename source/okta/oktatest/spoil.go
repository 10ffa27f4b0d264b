package oktatest

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// extras are what a page holds beside events served once.
type extras struct {
	rand   *rand.Rand
	repeat int
	inject []string
	short  int  // events that it could hold and does not
	held   bool // a page that follows the log holds none of those that wait

	conflicts float64 // chance that a repeat has other bytes
}

// extras draws what is put into a page. It leaves room for one event at least.
func (o *Org) extras(q query, req Request, fault Fault) extras {
	x := extras{rand: chance(o.config.Seed, chanceWithin, uint64(req.N)), repeat: fault.Repeat, conflicts: o.config.Conflicts}
	if x.rand.Float64() < o.config.RepeatWithin {
		x.repeat++
	}
	if o.config.PageMost > 0 {
		x.short = max(0, q.limit-o.config.PageMost)
	}
	room := max(0, q.limit-1-x.short)
	x.inject = fault.Inject[:min(len(fault.Inject), room)]
	x.repeat = min(x.repeat, room-len(x.inject))
	if room -= len(x.inject) + x.repeat; room > 0 && x.rand.Float64() < o.config.ShortPages {
		x.short += 1 + x.rand.IntN(room)
		x.held = x.rand.IntN(3) == 0 && fault.Next == NextRight // without a link that leads on it would say that nothing waits
	}
	return x
}

// room is how much of the page's limit they take.
func (x extras) room() int { return len(x.inject) + x.repeat + x.short }

// spoil puts them into the page, at places drawn by chance; a repeat comes
// after what it repeats, so that the order of first appearance stays the log's.
func (x extras) spoil(p *page) {
	if len(p.elements) > 0 {
		for range x.repeat {
			first := x.rand.IntN(len(p.elements))
			place := first + 1 + x.rand.IntN(len(p.elements)-first)
			p.elements = slices.Insert(p.elements, place, again(p.elements[first], x.rand, x.conflicts))
		}
	}
	for _, raw := range x.inject {
		p.elements = slices.Insert(p.elements, x.rand.IntN(len(p.elements)+1), element{raw: []byte(raw)})
	}
}

// again is an element that is served once more, at times with other bytes.
func again(e element, r *rand.Rand, conflicts float64) element {
	if e.rec == nil || len(e.rec.Data) < 3 || e.rec.UUID == "" || r.Float64() >= conflicts {
		return e
	}
	return element{raw: slices.Concat([]byte(`{"again":`), strconv.AppendInt(nil, r.Int64N(3), 10), []byte(","), e.rec.Data[1:])}
}

package oktatest

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// extras are what a page contains besides events served once.
type extras struct {
	rand   *rand.Rand
	repeat int
	inject []string
	short  int  // how many events it could have but does not
	held   bool // a page that follows the log has none of the waiting events

	conflicts float64 // probability that a repeat has other bytes
}

// extras chooses what is added to a page. It leaves room for at least one event.
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
		x.held = x.rand.IntN(3) == 0 && fault.Next == NextRight // without a moving link it would say that nothing waits
	}
	return x
}

// room returns how much of the page's limit they take.
func (x extras) room() int { return len(x.inject) + x.repeat + x.short }

// spoil inserts them into the page at random places; a repeat comes after its original,
// so that the order of first appearance stays the log's.
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

// again returns a repeated element, sometimes with other bytes.
func again(e element, r *rand.Rand, conflicts float64) element {
	if e.rec == nil || len(e.rec.Data) < 3 || e.rec.UUID == "" || r.Float64() >= conflicts {
		return e
	}
	return element{raw: slices.Concat([]byte(`{"again":`), strconv.AppendInt(nil, r.Int64N(3), 10), []byte(","), e.rec.Data[1:])}
}

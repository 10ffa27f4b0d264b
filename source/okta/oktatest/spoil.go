package oktatest

import "slices"

// spoil puts repeated events and foreign elements into a page.
func (o *Org) spoil(p *page, q query, req Request, fault Fault) {
	n := len(p.elements)
	r := chance(o.config.Seed, chanceWithin, uint64(req.N))
	repeat := fault.Repeat
	if q.limit > n && r.Float64() < o.config.RepeatWithin {
		repeat++
	}
	if n > 0 {
		for range repeat {
			again := p.elements[r.IntN(n)]
			p.elements = slices.Insert(p.elements, r.IntN(len(p.elements)+1), again)
		}
	}
	for _, raw := range fault.Inject {
		p.elements = slices.Insert(p.elements, r.IntN(len(p.elements)+1), element{raw: []byte(raw)})
	}
}

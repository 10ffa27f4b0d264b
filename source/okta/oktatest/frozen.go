package oktatest

import (
	"bytes"
	"slices"
	"sync"
)

// span is a run of the base: places from up to, but not including, to. The zero value is
// empty.
type span struct{ from, to int }

// frozen returns the run of the base that makes up the whole page.
func (p page) frozen() span {
	for i, e := range p.elements {
		if e.raw != nil || e.rec != nil || e.base != p.elements[0].base+i {
			return span{}
		}
	}
	if len(p.elements) == 0 {
		return span{}
	}
	first := p.elements[0].base
	return span{first, first + len(p.elements)}
}

// frozenPages are pages of the base, compressed in advance.
type frozenPages struct {
	mu    sync.RWMutex
	pages map[span][]byte
}

func (f *frozenPages) get(s span) []byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pages[s]
}

// Warm compresses the synthesized log in advance, in pages of limit events as for a
// client that starts before the first. Serving them then costs almost nothing, so that a
// benchmark measures its client.
func (o *Org) Warm(limit int) {
	o.frozen.mu.Lock()
	defer o.frozen.mu.Unlock()
	o.frozen.pages = make(map[span][]byte)
	var body, packed bytes.Buffer
	for from := 0; from < o.log.base.len(); from += limit {
		s := span{from, min(from+limit, o.log.base.len())}
		p := page{}
		for i := s.from; i < s.to; i++ {
			p.elements = append(p.elements, element{base: i})
		}
		packed.Reset()
		squeeze(&packed, o.render(&body, p))
		o.frozen.pages[s] = slices.Clone(packed.Bytes())
	}
}

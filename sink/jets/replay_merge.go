package jets

import (
	"context"
	"iter"
	"sync"
)

// A few instances that are rare together are read each by itself and put
// together, rather than all others with them.
const (
	fewSubjects = 8
	rareShare   = 0.25
)

// scattered reports whether the range is such.
func (r *reading) scattered() bool {
	return len(r.wanted) > 1 && len(r.wanted) <= fewSubjects && r.density < rareShare
}

// merge calls visit with the events of several readings in the stream's order.
func (r *reading) merge(ctx context.Context, visit func(*Stored) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var heads []*head
	away := &aways{told: r.Away}
	for subject := range r.wanted {
		of := newReading(r.store, Range{
			From: r.From, Through: r.Through, Lanes: max(1, r.Lanes/len(r.wanted)), Away: away.of(), Gone: away.gone(r.Gone),
		})
		of.only = subject
		h := &head{}
		h.next, h.stop = iter.Pull2(of.events(ctx))
		defer h.stop()
		if err := h.pull(); err != nil {
			return err
		}
		heads = append(heads, h)
	}
	for {
		var first *head
		for _, h := range heads {
			if h.event != nil && (first == nil || h.event.Seq < first.event.Seq) {
				first = h
			}
		}
		if first == nil {
			return nil
		}
		if !visit(first.event) {
			return nil
		}
		if err := first.pull(); err != nil {
			return err
		}
	}
}

// head is the next event of a reading.
type head struct {
	event *Stored // nil: there is none
	next  func() (*Stored, error, bool)
	stop  func()
}

func (h *head) pull() error {
	e, err, ok := h.next()
	if !ok {
		e = nil
	}
	h.event = e
	return err
}

// aways puts together what several readings say of NATS: it is away while it is
// for one of them.
type aways struct {
	mu   sync.Mutex
	told func(error)
	n    int
}

func (a *aways) of() func(error) {
	if a.told == nil {
		return nil
	}
	return func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		before := a.n
		if a.n++; err == nil {
			a.n -= 2
		}
		if before == 0 || a.n == 0 {
			a.told(err)
		}
	}
}

func (a *aways) gone(told func(first, last uint64)) func(first, last uint64) {
	if told == nil {
		return nil
	}
	return func(first, last uint64) {
		a.mu.Lock()
		defer a.mu.Unlock()
		told(first, last)
	}
}

package signals

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
	"github.com/witfoo/signal-client/sink/jets"
)

// pastIDs holds the ids of all stored events of an instance that were published in a time
// range: past events are compared with them. The zero span holds none.
type pastIDs struct {
	from, until time.Time
	through     uint64 // the sequence through which all ids are known
	ids         map[id]struct{}
	used        time.Time
}

// spanKept is how long an unused span is kept.
const spanKept = 10 * time.Minute

func (p *pastIDs) has(i id) bool {
	_, ok := p.ids[i]
	return ok
}

// holds reports whether an event published then, or at an unknown time, belongs to the span.
func (p *pastIDs) holds(published time.Time) bool {
	return published.IsZero() || !published.Before(p.from) && published.Before(p.until)
}

// add adds events that were just stored, the newest at a sequence.
func (p *pastIDs) add(events []pipeline.Event, ids []id, through uint64) {
	if p.ids == nil {
		return
	}
	if time.Since(p.used) > spanKept {
		*p = pastIDs{}
		return
	}
	for i := range events {
		if p.holds(events[i].Published) {
			p.ids[ids[i]] = struct{}{}
		}
	}
	p.through = through
}

// know loads the ids of the events stored of a time range, through the events' fence and
// never beyond.
//
// It reads from the anchor that a reopening at from would have: everything before it was
// published before from. Events stored after the load are added by add.
func (s *Sink) know(ctx context.Context, from, until time.Time) error {
	fits := s.span.ids != nil && s.span.from.Equal(from) && s.span.until.Equal(until)
	if fits && s.span.through == s.lastEvent {
		s.span.used = time.Now()
		return nil
	}
	next := pastIDs{from: from, until: until, through: s.lastEvent, ids: map[id]struct{}{}, used: time.Now()}
	s.span = pastIDs{}
	if s.lastEvent > 0 {
		anchor, err := s.anchor(ctx, from)
		if err != nil {
			return err
		}
		err = s.within(ctx, &next, anchor, func(e audit.StoredEvent) { next.ids[idOf(e.UUID)] = struct{}{} })
		if err != nil {
			return err
		}
	}
	s.span = next
	return nil
}

// within calls visit, in order, for each stored event of a span through the events' fence.
func (s *Sink) within(ctx context.Context, p *pastIDs, first uint64, visit func(audit.StoredEvent)) error {
	return s.scan(ctx, jets.SubjectEvents(s.store.Kind.Name, s.instance), max(first, s.stream.First), s.lastEvent, func(m jetstream.Msg, seq uint64) error {
		published := publishedOf(m)
		if !p.holds(published) {
			return nil
		}
		uuid, err := s.uuidOf(ctx, m, seq)
		if err == nil && uuid != "" {
			visit(audit.StoredEvent{UUID: uuid, Seq: seq, Published: published})
		}
		return err
	})
}

// publishedOf returns when a stored event was published, by its header; zero: unknown.
func publishedOf(m jetstream.Msg) time.Time {
	t, err := time.Parse(time.RFC3339, jets.HeaderText(m.Headers(), jets.HeaderTime))
	if err != nil {
		return time.Time{}
	}
	return t
}

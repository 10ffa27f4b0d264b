package jets

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/pipeline/audit"
)

// span holds the ids of all stored events of an instance that were published in a
// stretch of time: what events of the past are compared with. The zero span
// holds none.
type span struct {
	from, until time.Time
	through     uint64 // the sequence through which all are known
	ids         map[id]struct{}
	used        time.Time
}

// spanKept is how long a span is kept that nobody uses.
const spanKept = 10 * time.Minute

func (p *span) has(i id) bool {
	_, ok := p.ids[i]
	return ok
}

// holds reports whether an event published then belongs to the span. Where the
// time is unknown it does.
func (p *span) holds(published time.Time) bool {
	return published.IsZero() || !published.Before(p.from) && published.Before(p.until)
}

// add takes in events that were just stored, the newest at a sequence.
func (p *span) add(events []pipeline.Event, ids []id, through uint64) {
	if p.ids == nil {
		return
	}
	if time.Since(p.used) > spanKept {
		*p = span{}
		return
	}
	for i := range events {
		if p.holds(events[i].Published) {
			p.ids[ids[i]] = struct{}{}
		}
	}
	p.through = through
}

// know makes the span hold the ids of what is stored of a stretch of time, through
// the events' fence and never beyond.
//
// It reads from the anchor that a reopening at from would have: all before that
// was published before from. What was stored since the span was loaded, it was
// told of.
func (s *Sink) know(ctx context.Context, from, until time.Time) error {
	fits := s.span.ids != nil && s.span.from.Equal(from) && s.span.until.Equal(until)
	if fits && s.span.through == s.lastEvent {
		s.span.used = time.Now()
		return nil
	}
	next := span{from: from, until: until, through: s.lastEvent, ids: map[id]struct{}{}, used: time.Now()}
	s.span = span{}
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

// within calls visit with each stored event of a span that stands at a sequence or
// after it, through the events' fence, in order.
func (s *Sink) within(ctx context.Context, p *span, first uint64, visit func(audit.StoredEvent)) error {
	return s.scan(ctx, SubjectEvents(s.instance), max(first, s.stream.First), s.lastEvent, func(m jetstream.Msg, seq uint64) error {
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

// publishedOf is when a stored event was published, as its header says; zero
// when it does not.
func publishedOf(m jetstream.Msg) time.Time {
	t, err := time.Parse(time.RFC3339, headerText(m.Headers(), headerTime))
	if err != nil {
		return time.Time{}
	}
	return t
}

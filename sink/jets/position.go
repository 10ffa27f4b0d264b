package jets

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// after is the position after events of a page; last: after all of them.
func (s *Sink) after(page pipeline.Page, events []pipeline.Event, last bool) pipeline.Position {
	pos := s.at
	pos.Version = pipeline.PositionVersion
	pos.Events, pos.At = len(events), time.Now().UTC()
	for _, e := range events {
		pos.PublishedMax = latest(pos.PublishedMax, believable(e.Published, page.Date))
	}
	if n := len(events); n > 0 {
		pos.LastEvent = &pipeline.LastEvent{UUID: events[n-1].UUID, Published: events[n-1].Time}
	}
	if last {
		pos.CompleteThrough = latest(pos.CompleteThrough, page.Through)
	}
	if !last || page.Next == page.Link {
		return s.stay(pos)
	}
	pos.Link = page.Next
	return s.leave(pos, page)
}

// stay is a position whose link will be asked for again, events and all: a
// part of a page, or a page whose answer named no other link. All ids since the
// link was first asked for must be compared until it is left.
func (s *Sink) stay(pos pipeline.Position) pipeline.Position {
	pos.Why = pipeline.WhyPage
	if s.at.DedupeFrom == 0 {
		pos.DedupeFrom = s.at.Seq
	}
	if s.at.DedupeFrom == 0 || s.at.Why == pipeline.WhyPart {
		pos.Why = pipeline.WhyPart
	}
	return pos
}

// leave is a position with a new link. What stay set ends with the link; what a
// reopening, a restored cursor or a fresh start set ends with a short page: the
// head is reached, and nothing stored before can be served again.
func (s *Sink) leave(pos pipeline.Position, page pipeline.Page) pipeline.Position {
	pos.Why = pipeline.WhyPage
	if s.at.Why == pipeline.WhyPart || !page.Full {
		pos.DedupeFrom = 0
	}
	return pos
}

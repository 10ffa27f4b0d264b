package signals

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// after returns the position after events of a page; last: after all, with some repeats.
func (s *Sink) after(page pipeline.Page, events []pipeline.Event, repeats int, last bool) pipeline.Position {
	pos := s.at
	pos.Version = pipeline.PositionVersion
	pos.Events, pos.At = len(events), time.Now().UTC()
	for _, e := range events {
		pos.PublishedMax = pipeline.Later(pos.PublishedMax, believable(e.Published, page.Date))
	}
	if n := len(events); n > 0 {
		pos.LastEvent = &pipeline.LastEvent{UUID: events[n-1].UUID, Published: events[n-1].Time}
	}
	if last {
		pos.CompleteThrough = pipeline.Later(pos.CompleteThrough, page.Through)
	}
	if pos.Gap != nil && pos.CompleteThrough.Sub(pos.Gap.Until) > 2*s.store.Kind.Retention {
		pos.Gap = nil // the stream no longer keeps what came after it
	}
	made := last && s.made(page, repeats)
	if !last || page.Next == page.Link && !made {
		return s.stay(pos)
	}
	pos.Link, pos.Why = page.Next, pipeline.WhyPage
	if made || s.at.Why == pipeline.WhyPart {
		pos.DedupeFrom = 0
	}
	if made {
		// A rewind began with the published_max of its target. From here on it must cover
		// everything stored since, including what was not served again.
		pos.PublishedMax = pipeline.Later(pos.PublishedMax, believable(s.compared, page.Date))
	}
	return pos
}

// stay returns a position whose link will be requested again, events included: after a
// part of a page, or a page whose answer named no other link. Until the link is left, all
// ids since it was first requested must be compared.
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

// made reports whether a page ends the comparison that a reopening, a restored cursor or a
// fresh start began: everything that the org had persisted before has been served, and the page
// repeats nothing. Its size proves nothing: Okta sends short pages under load, too.
func (s *Sink) made(page pipeline.Page, repeats int) bool {
	return s.at.DedupeFrom != 0 && s.at.Why != pipeline.WhyPart && page.CaughtUp && repeats == 0
}

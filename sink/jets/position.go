package jets

import (
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// after is the position after events of a page; last: after all of them, with
// so many repeats among them.
func (s *Sink) after(page pipeline.Page, events []pipeline.Event, repeats int, last bool) pipeline.Position {
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
	if pos.Gap != nil && pos.CompleteThrough.Sub(pos.Gap.Until) > 2*pipeline.Retention {
		pos.Gap = nil // it was told for as long as the stream keeps what came after it
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
		// A rewind began with the published_max of its target. From here on it must
		// hold for all that is stored again, also for what was not served anew.
		pos.PublishedMax = latest(pos.PublishedMax, believable(s.compared, page.Date))
	}
	return pos
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

// made reports whether a page ends what a reopening, a restored cursor or a fresh
// start makes up for: one up to which all has been served that the org had persisted
// before, and that brought nothing known itself. Its size proves nothing: Okta sends short
// pages under load as well, empty ones too.
func (s *Sink) made(page pipeline.Page, repeats int) bool {
	return s.at.DedupeFrom != 0 && s.at.Why != pipeline.WhyPart && page.CaughtUp && repeats == 0
}

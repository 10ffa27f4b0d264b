package okta

import (
	"errors"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/page"
)

// pageShrinker halves the limit of a link whose page was too large twice, until it fits.
type pageShrinker struct {
	link  pipeline.Link
	times int
	limit int // 0: the link's own
}

func (s *pageShrinker) apply(link pipeline.Link) pipeline.Link {
	if s.link != link || s.limit == 0 {
		return link
	}
	return withLimit(link, s.limit)
}

// failed records a failed attempt at link, which was requested as asked.
func (s *pageShrinker) failed(link, asked pipeline.Link, err error) {
	if !errors.Is(err, page.ErrTooLarge) {
		return
	}
	if s.link != link {
		*s = pageShrinker{link: link}
	}
	if s.times++; s.times >= 2 {
		s.limit = max(1, LimitOf(asked)/2)
	}
}

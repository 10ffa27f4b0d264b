package pipeline

import "time"

// Window returns the link of a bounded request for events published at or after since and
// before until, in that order. Its last page names no next link.
type Window func(since, until time.Time) Link

// After returns the link after a page of a bounded request that ends at until; empty: it
// was the last. Normally the last page names no next link. A full page without one may
// have lost it, so what follows its newest event is requested anew. empties counts the
// empty pages in a row, of which only headEmpties are followed.
func (w Window) After(page Page, newest, until time.Time, empties *int) Link {
	if *empties++; len(page.Events) > 0 {
		*empties = 0
	}
	switch {
	case *empties >= headEmpties:
		return ""
	case page.Next != page.Link:
		return page.Next
	case !page.Full || newest.IsZero():
		return ""
	}
	if again := w(newest.Truncate(time.Millisecond), until); again != page.Link {
		return again
	}
	return ""
}

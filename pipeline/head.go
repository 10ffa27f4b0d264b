package pipeline

import "time"

// Head derives from an org's pages whether one reaches the head of the log, whether more
// is waiting, and what is complete once it is committed. The size of a page shows none of
// this: an org may send fewer events than requested, or none, while more are waiting.
//
// It relies on two facts.
//   - An empty page whose link did not move is the head: everything that the org had
//     persisted when it was asked has been served. Some orgs move the link of an empty
//     page, too. There headEmpties of them in a row are the head, as of the first one's
//     request; this assumes that no org sends that many empty pages while more is
//     waiting.
//   - The org serves its log in order of persistence, and no event is persisted before it
//     is published. So a page that holds an event published at some time comes after
//     everything persisted before that time, however many events it has.
//
// It is used by one goroutine, which reports each request and each answer, in order.
type Head struct {
	clock    *Clock
	interval time.Duration // between polls at the head of the log

	asked   int       // number of requests sent
	seen    reading   // the org's clock on the newest answer; zero: unknown
	empties []Request // requests of the newest empty pages in a row

	undated int       // answers in a row without a Date
	blind   bool      // the newest page was requested before the org's clock was known
	reached int       // number of a request: everything persisted before it has been served; 0: not shown by the newest page
	served  time.Time // everything persisted up to then has been served, because the newest page holds a later event; zero: it holds none
	began   mark      // when the poll or the query began
	batch   mark      // when the current batch of the past arrived

	burst  bool      // the newest page is followed at once
	hollow bool      // the newest page is empty
	hides  bool      // the org has sent an empty page before events that were waiting
	newest time.Time // publication time of the newest event of the newest page that has any
	read   time.Time // when that page came
	most   int       // elements of the largest page so far
	vain   int       // pages in a row that were followed at once and brought little
}

// Request is what is known when a request is sent.
type Request struct {
	n    int     // its number, starting at 1
	seen reading // the org's clock on an earlier answer
}

// mark is a moment, by the number of requests and by the org's clock.
type mark struct {
	n    int       // requests sent before it
	date time.Time // the org's clock on an answer to a later request; zero: none yet
}

const (
	// headEmpties is how many empty pages in a row are the head even if each moved the link.
	headEmpties = 3
	// visibleLag is how long after its publication an event usually becomes visible. A
	// page whose newest event is older than that plus an interval is part of a backlog.
	visibleLag = time.Minute
	// nodesApart is how far the clocks of an org's own machines may differ.
	nodesApart = 10 * time.Second
	// mostVain is how many pages in a row are followed at once although they bring the poll
	// hardly nearer to the head: events that all become visible late must cause no burst.
	mostVain = 2
)

// NewHead returns a Head that knows nothing of the log yet. interval is the time between
// polls at the head of the log; 0: none.
func NewHead(clock *Clock, interval time.Duration) Head {
	return Head{clock: clock, interval: interval}
}

// Ask numbers a request that is about to be sent.
func (h *Head) Ask() Request {
	h.asked++
	return Request{n: h.asked, seen: h.seen}
}

func (h *Head) mark() mark { return mark{n: h.asked} }

// restart forgets what the pages showed, for a new query.
func (h *Head) restart() {
	h.empties, h.reached, h.served, h.began, h.burst = nil, 0, time.Time{}, h.mark(), false
}

// Learn records the answer to a request. It sets the page's Through, CaughtUp and More,
// and its Date if the answer's was absent or not accepted.
func (h *Head) Learn(r Request, p *Page) {
	told := !p.Date.IsZero()
	if h.undated++; told {
		h.undated = 0
	}
	h.date(r, p)
	h.blind = !h.seen.date.IsZero() && !h.clock.confirms(r.seen)
	newest := newestOf(p)
	h.served = time.Time{}
	if !newest.IsZero() {
		h.served = newest.Add(-time.Millisecond) // others may have been persisted in the same millisecond
	}
	first := h.reach(r, p)
	p.Through = h.through(r, first, p, told)
	p.CaughtUp = h.passed(h.began)
	p.More = h.more(p, newest)
	if !newest.IsZero() {
		h.newest, h.read = newest, time.Now()
	}
	h.burst = p.More
}

// date records an answer's Date; the org's known time replaces one that is not accepted.
func (h *Head) date(r Request, p *Page) {
	expected, known := h.clock.Now(), h.clock.known()
	now, believed := h.clock.observe(p.Date)
	switch {
	case believed:
		h.seen = now
		if !known {
			expected = now.date
		}
		h.began.answered(r, Later(expected, now.date))
		h.batch.answered(r, Later(expected, now.date))
	case known || p.Date.IsZero():
		p.Date = expected
	default: // the first Date, which contradicts this machine's clock: the next one decides
		h.seen = now
	}
}

// answered sets the mark's date from the first answer to a request sent after it.
func (m *mark) answered(r Request, now time.Time) {
	if r.n > m.n && m.date.IsZero() {
		m.date = now
	}
}

// newestOf returns when a page's newest event not dated in the future was published.
func newestOf(p *Page) time.Time {
	var newest time.Time
	for i := range p.Events {
		if e := &p.Events[i]; e.Flaw == "" && !e.Published.After(p.Date.Add(time.Second)) {
			newest = Later(newest, e.Published)
		}
	}
	return newest
}

// reach determines whether a page is the head of the log. It returns the request as of
// which it is: the page's own, or the first of several in a row.
func (h *Head) reach(r Request, p *Page) Request {
	h.reached = 0
	if len(p.Events) > 0 {
		h.empties = nil
		return Request{}
	}
	if h.empties = append(h.empties, r); len(h.empties) > headEmpties {
		h.empties = h.empties[1:]
	}
	first := Request{}
	switch {
	case p.Next == p.Link:
		first = r
	case len(h.empties) == headEmpties:
		first, h.hides = h.empties[0], false
	}
	h.reached = first.n
	return first
}

// through returns the watermark that committing a page proves. At the head it is the
// org's clock on an answer received before the request was sent: the answer's own Date
// proves nothing, because the org may have stamped it after it read its log. Any other
// page that is not full proves the time of its newest event, but no more than that Date.
// A full page would, too, but is one of many, so it moves no watermark.
//
// Without Date headers only events move the watermark, even if earlier answers had them.
func (h *Head) through(r, first Request, p *Page, told bool) time.Time {
	switch {
	case first.n > 0 && h.clock.confirms(first.seen):
		return first.seen.date
	case first.n > 0, p.Full, h.served.IsZero():
		return time.Time{}
	case told && h.clock.confirms(r.seen):
		return Earlier(h.served, r.seen.date)
	case told:
		return time.Time{} // the next answer proves more
	}
	return h.served
}

// passed reports whether everything that the org had persisted at a mark has been served.
func (h *Head) passed(m mark) bool {
	return h.reached > m.n || !m.date.IsZero() && h.served.After(m.date.Add(nodesApart))
}

// more reports whether the next page is requested at once: the link moved, and the events
// are so old that more of them must be waiting. An idle org, or one with a few events an
// interval, is not asked twice an interval.
func (h *Head) more(p *Page, newest time.Time) bool {
	burst, after := h.burst, h.hollow
	h.hollow = len(p.Events) == 0
	switch {
	case p.Next == p.Link:
		return false
	case len(p.Events) == 0:
		return (burst || h.hides) && h.reached == 0
	}
	h.hides = h.hides || burst && after
	h.most = max(h.most, len(p.Events))
	large := 2*len(p.Events) >= h.most
	gained := newest.Sub(h.newest) > 2*time.Since(h.read)
	vain := h.vain
	h.vain = 0
	switch {
	case p.Full, p.Limit > 0 && 4*len(p.Events) > 3*p.Limit:
		return true
	case newest.IsZero() || !newest.Before(h.clock.Now().Add(-h.interval-visibleLag)):
		return burst && large && gained // the end of a drain
	case burst && !large && !gained:
		h.vain = vain + 1
	}
	return h.vain < mostVain
}

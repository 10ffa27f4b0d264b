package pipeline

import "time"

// head finds out how far into an org's log its pages lead: whether one reaches the head
// of the log, whether more waits behind it, and what committing it makes complete. The
// size of a page tells none of this: an org may send fewer events than it was
// asked for, or none, while more waits.
//
// Two facts are what it goes by.
//
//   - An empty page whose link did not move is the head: all that the org had persisted
//     when it was asked has been served. Some orgs move the link of an empty page too.
//     Then headEmpties of them in a row count as much, as of when the first one was asked
//     for. Whatever an org sends while more waits, it must not be that.
//   - The org serves its log in the order of persistence, and no event is persisted
//     before it is published. So a page that holds an event published at some time comes
//     after all that was persisted before that time, however many events it has.
//
// It is used by one goroutine, which tells it of each request and each answer, in order.
type head struct {
	clock    *Clock
	interval time.Duration // between polls at the head of the log

	asked   int       // requests sent
	seen    reading   // the org's clock on an answer; zero: on none
	empties []request // for the newest empty pages in a row

	undated int       // answers in a row that had no Date
	blind   bool      // the newest page was asked for before any answer had told the org's clock
	reached int       // all that was persisted before this request has been served; 0: the newest page does not show it
	served  time.Time // all that was persisted up to then has been, since the newest page holds a later event; zero: it holds none
	began   mark      // when the walk began
	batch   mark      // when a batch of the past was in hand

	burst  bool      // the newest page is followed at once
	hollow bool      // it is empty
	hides  bool      // an empty page was seen that came before events that waited
	newest time.Time // when the newest event of a page was published, of the newest page that has any
	read   time.Time // when that page came
	most   int       // elements of the largest page
	vain   int       // pages in a row that were followed at once and brought little
}

// request is what is known when a request is sent.
type request struct {
	n    int     // its number, from 1 on
	seen reading // the org's clock on an answer received before
}

// mark is a moment, told by requests and by the org's clock.
type mark struct {
	n    int       // requests sent before
	date time.Time // the org's clock on an answer to one sent after; zero: there is none yet
}

const (
	// headEmpties is how many empty pages in a row are the head of the log though
	// each of them moved the link.
	headEmpties = 3
	// visibleLag is how long after its publication a request may usually not see an
	// event yet. A page whose newest event is older than that, and than an interval, is one
	// of events that wait.
	visibleLag = time.Minute
	// nodesApart is how far the clocks of an org's own machines may be apart.
	nodesApart = 10 * time.Second
	// mostVain is how many pages in a row are followed at once though they bring the walk
	// hardly nearer to the head. So an org whose events all become visible
	// late is not asked again and again for the few that did in between.
	mostVain = 2
)

// ask counts a request that is about to be sent.
func (h *head) ask() request {
	h.asked++
	return request{n: h.asked, seen: h.seen}
}

// mark is a mark of now.
func (h *head) mark() mark { return mark{n: h.asked} }

// restart forgets what the pages showed: a new query is followed.
func (h *head) restart() {
	h.empties, h.reached, h.served, h.began, h.burst = nil, 0, time.Time{}, h.mark(), false
}

// learn takes in the answer to a request. It sets what of the page is the Runner's to
// set: Through, CaughtUp and More; and Date, if the answer had none to be believed.
func (h *head) learn(r request, p *Page) {
	told := !p.Date.IsZero()
	if h.undated++; told {
		h.undated = 0
	}
	h.date(r, p)
	h.blind = !h.seen.date.IsZero() && !h.clock.confirms(r.seen)
	newest := newestOf(p)
	h.served = time.Time{}
	if !newest.IsZero() {
		h.served = newest.Add(-time.Millisecond) // others may have been persisted in the same one
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

// date takes in an answer's Date, and puts what is known of the org's clock in its place
// if it is not to be believed.
func (h *head) date(r request, p *Page) {
	expected, known := h.clock.Now(), h.clock.known()
	now, believed := h.clock.observe(p.Date)
	switch {
	case believed:
		h.seen = now
		if !known {
			expected = now.date
		}
		h.began.answered(r, newer(expected, now.date))
		h.batch.answered(r, newer(expected, now.date))
	case known || p.Date.IsZero():
		p.Date = expected
	default: // the first one, which this machine's clock does not bear out: the next may
		h.seen = now
	}
}

// answered takes in the org's clock on the answer to a request.
func (m *mark) answered(r request, now time.Time) {
	if r.n > m.n && m.date.IsZero() {
		m.date = now
	}
}

// newestOf is when the newest event of a page was published; zero: there is none. One
// dated into the future says nothing.
func newestOf(p *Page) time.Time {
	var newest time.Time
	for i := range p.Events {
		if e := &p.Events[i]; e.Flaw == "" && !e.Published.After(p.Date.Add(time.Second)) {
			newest = newer(newest, e.Published)
		}
	}
	return newest
}

// reach finds out whether a page is the head of the log, and returns the request as of
// which: the page's own, or the first of several in a row.
func (h *head) reach(r request, p *Page) request {
	h.reached = 0
	if len(p.Events) > 0 {
		h.empties = nil
		return request{}
	}
	if h.empties = append(h.empties, r); len(h.empties) > headEmpties {
		h.empties = h.empties[1:]
	}
	first := request{}
	switch {
	case p.Next == p.Link:
		first = r
	case len(h.empties) == headEmpties:
		first, h.hides = h.empties[0], false
	}
	h.reached = first.n
	return first
}

// through is the watermark that committing a page makes true. At the head it is the org's
// clock on an answer received before the request for it was sent: the answer's own
// Date proves nothing, since the org may have stamped it after it looked. Any other
// page that is not full proves what its newest event does, and no more than that Date. So
// does a full one, which is one of many: they move no watermark.
//
// Without a Date, only events move it, also where the answers had one before.
func (h *head) through(r, first request, p *Page, told bool) time.Time {
	switch {
	case first.n > 0 && h.clock.confirms(first.seen):
		return first.seen.date
	case first.n > 0, p.Full, h.served.IsZero():
		return time.Time{}
	case told && h.clock.confirms(r.seen):
		return older(h.served, r.seen.date)
	case told:
		return time.Time{} // the next answer proves more
	}
	return h.served
}

// passed reports whether the newest page shows that all that the org had persisted by a
// mark has been served.
func (h *head) passed(m mark) bool {
	return h.reached > m.n || !m.date.IsZero() && h.served.After(m.date.Add(nodesApart))
}

// more reports whether a page is to be followed at once: its link moved, and what it holds
// should have been seen before, so that more of that kind waits. An idle org, and one
// with a few events an interval, is not asked twice an interval by that.
func (h *head) more(p *Page, newest time.Time) bool {
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

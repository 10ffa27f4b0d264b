package pipeline

import "time"

// When a refused link counts as unusable.
const (
	refusedTwice  = 2           // refusals, if the org says that it refuses the cursor
	refusedOften  = 4           // refusals, if the org does not say what it refuses
	refusedLong   = time.Minute // over at least this time, if the org does not say
	refusedAtMost = time.Hour
)

// refusals counts an org's refusals of links in a row. If it accepts a new query and then
// refuses its links, the query is reopened less and less often: after 1 min, 2 min … 1 h.
type refusals struct {
	n       int       // in a row, of one link
	first   time.Time // time of the first of those
	opened  Link      // the link of the newest reopening; empty: the org has accepted another link since
	reopens int       // since then
}

func (r *refusals) count(now time.Time) {
	if r.n++; r.n == 1 {
		r.first = now
	}
}

// enough reports whether the query is to be reopened. plain: the org refused the cursor.
func (r *refusals) enough(plain bool, now time.Time) bool {
	times, long := refusedOften, refusedLong
	if plain {
		times, long = refusedTwice, 0
	}
	if r.reopens > 0 {
		long = max(long, min(refusedLong<<min(r.reopens-1, 10), refusedAtMost))
	}
	return r.n >= times && now.Sub(r.first) >= long
}

// own reports whether a link came from the newest reopening.
func (r *refusals) own(link Link) bool { return r.reopens > 0 && link == r.opened }

func (r *refusals) reopened(link Link) {
	r.n, r.opened = 0, link
	r.reopens++
}

// over resets the counts after a page.
func (r *refusals) over(link Link) {
	r.n = 0
	if link != r.opened {
		r.reopens, r.opened = 0, ""
	}
}

package pipeline

import "time"

// When a refused link counts as one that the org will not take any more.
const (
	refusedTwice  = 2           // times, if the org says that it is the cursor
	refusedOften  = 4           // times, if it does not say what it is
	refusedLong   = time.Minute // for at least that long, if it does not say
	refusedAtMost = time.Hour
)

// refusals counts how often in a row an org refuses links. An org that takes new
// queries and then refuses what they lead to is asked anew less and less often:
// after a minute, then two, up to an hour.
type refusals struct {
	n       int       // in a row, of one link
	first   time.Time // of those
	opened  Link      // what the newest reopening led to; empty: none since the org took another link
	reopens int       // since then
}

func (r *refusals) count(now time.Time) {
	if r.n++; r.n == 1 {
		r.first = now
	}
}

// enough reports whether the query is to be reopened. plain: the org said that
// it refuses the cursor.
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

// own reports whether a link is what the newest reopening led to.
func (r *refusals) own(link Link) bool { return r.reopens > 0 && link == r.opened }

func (r *refusals) reopened(link Link) {
	r.n, r.opened = 0, link
	r.reopens++
}

// over takes note of a page.
func (r *refusals) over(link Link) {
	r.n = 0
	if link != r.opened {
		r.reopens, r.opened = 0, ""
	}
}

package signals

import (
	"hash/maphash"
	"slices"
)

// id is a hash of a uuid in the recent ids: 128 bits with this process's own seeds, so
// that nobody can construct a collision.
type id [2]uint64

var idSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func idOf(uuid string) id {
	return id{maphash.String(idSeeds[0], uuid), maphash.String(idSeeds[1], uuid)}
}

// print is a hash of an event's bytes with this process's own seed; 0: not known, as for
// an event of which only the headers were read.
type print uint64

func printOf(data []byte) print { return print(maphash.Bytes(idSeeds[0], data) | 1) }

// differs reports whether both are known and different.
func (p print) differs(other print) bool { return p != 0 && other != 0 && p != other }

// recentPages is how many pages with events the recent ids cover. Two are promised; the
// third costs little and helps when a reader and a writer count pages differently.
const recentPages = 3

// recent holds the ids, with prints, that a page is compared with, by page, the newest last.
type recent struct {
	pages []map[id]print
}

func (r *recent) has(i id) bool {
	_, ok := r.find(i)
	return ok
}

// find returns the print of a recent id.
func (r *recent) find(i id) (print, bool) {
	for _, page := range r.pages {
		if p, ok := page[i]; ok {
			return p, true
		}
	}
	return 0, false
}

// ForgetIDs drops the recent ids. It is for simulations: fences alone must keep what is
// stored exact between writers.
func (s *Sink) ForgetIDs() { s.recent = recent{} }

// newest returns the number of ids of the newest page.
func (r *recent) newest() int {
	if len(r.pages) == 0 {
		return 0
	}
	return len(r.pages[len(r.pages)-1])
}

// add adds ids with unknown bytes to the newest page.
func (r *recent) add(ids ...id) {
	for _, i := range ids {
		r.put(i, 0)
	}
}

// put adds an id to the newest page.
func (r *recent) put(i id, p print) {
	if len(r.pages) == 0 {
		r.turn()
	}
	r.pages[len(r.pages)-1][i] = p
}

// turn begins a new page and drops those beyond recentPages. Maps are not reused: after a full
// page one stays large, in each of thousands of instances that once had to catch up.
func (r *recent) turn() {
	if len(r.pages) == recentPages {
		r.pages = slices.Delete(r.pages, 0, 1)
	}
	r.pages = append(r.pages, make(map[id]print))
}

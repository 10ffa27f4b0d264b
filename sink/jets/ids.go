package jets

import (
	"hash/maphash"
	"slices"
)

// id stands for a uuid in the recent ids: 128 bits under seeds of this
// process's own, so that nobody can make two uuids meet.
type id [2]uint64

var idSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func idOf(uuid string) id {
	return id{maphash.String(idSeeds[0], uuid), maphash.String(idSeeds[1], uuid)}
}

// recentPages is how many pages with events the recent ids reach back. Two are
// promised; the third costs little and is there when a reader's two are not
// quite a writer's.
const recentPages = 3

// recent are the ids that a page is compared with, by page, the newest last.
type recent struct {
	pages []map[id]struct{}
}

func (r *recent) has(i id) bool {
	for _, page := range r.pages {
		if _, ok := page[i]; ok {
			return true
		}
	}
	return false
}

// newest is how many ids the newest page has.
func (r *recent) newest() int {
	if len(r.pages) == 0 {
		return 0
	}
	return len(r.pages[len(r.pages)-1])
}

// add puts ids to the newest page.
func (r *recent) add(ids ...id) {
	if len(r.pages) == 0 {
		r.turn()
	}
	newest := r.pages[len(r.pages)-1]
	for _, i := range ids {
		newest[i] = struct{}{}
	}
}

// turn begins a new page and forgets those beyond recentPages. A page's map is
// not used again: one that held a full page stays large, in each of thousands of
// instances that once had much to catch up with.
func (r *recent) turn() {
	if len(r.pages) == recentPages {
		r.pages = slices.Delete(r.pages, 0, 1)
	}
	r.pages = append(r.pages, make(map[id]struct{}))
}

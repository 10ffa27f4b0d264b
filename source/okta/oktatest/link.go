package oktatest

import (
	"math/rand/v2"
	"net/http"
	"strings"
)

// LogsPath is the path of the System Log.
const LogsPath = "/api/v1/logs"

// Links is how an answer's Link headers look. The zero value is the form
// that Okta's documentation shows: two headers, self first.
type Links struct {
	Joined    bool // one header with both links
	NextFirst bool // next before self
	Lower     bool // the header's name in lower case
	Commas    bool // the URLs hold commas
	Bare      bool // rel without quotes, in odd case
	Extra     bool // further parameters beside rel
	Relative  bool // no scheme and host

	Params Params // what a next link carries beside its cursor
	Empty  Empty  // where an empty page's next link leads

	Vary bool // draw all of the above anew for each answer, but Relative
}

// Params is what a next link carries beside its cursor and the filter.
type Params int

const (
	ParamsLimit Params = iota // limit, if one was asked for
	ParamsAfter               // nothing, so what follows has the default limit
	ParamsAll                 // since, limit and sortOrder
)

// Empty is where an empty page's next link leads.
type Empty int

const (
	EmptySame     Empty = iota // to the cursor that was asked for
	EmptyAdvanced              // to a newer cursor
	EmptyNone                  // there is none
)

func (l Links) drawn(r *rand.Rand, limited bool) Links {
	if !l.Vary {
		return l
	}
	coin := func() bool { return r.IntN(2) == 0 }
	l.Joined, l.NextFirst, l.Lower, l.Commas, l.Bare, l.Extra = coin(), coin(), coin(), coin(), coin(), coin()
	l.Params, l.Empty = Params(r.IntN(3)), Empty(r.IntN(3))
	if limited && l.Params == ParamsAfter {
		l.Params = ParamsLimit // else every stream would soon have pages of 100
	}
	return l
}

// nextQuery is the query of a next link.
func (l Links) nextQuery(q query, cursor string) string {
	var pairs []string
	keep := func(name string) {
		if value := q.raw[name]; value != "" {
			pairs = append(pairs, name+"="+value)
		}
	}
	switch {
	case !q.until.IsZero():
		keep("since")
		keep("until")
		keep("sortOrder")
		keep("limit")
	case l.Params == ParamsAll:
		keep("since")
		keep("limit")
		pairs = append(pairs, "sortOrder=ASCENDING")
	case l.Params == ParamsLimit:
		keep("limit")
	}
	keep("filter")
	keep("q")
	if l.Commas {
		pairs = append(pairs, "view=full,all")
	}
	return strings.Join(append(pairs, "after="+cursor), "&")
}

// write sets the header; an empty next is left out.
func (l Links) write(h http.Header, self, next string) {
	var links []string
	add := func(url, rel string) {
		if url != "" {
			links = append(links, l.value(url, rel))
		}
	}
	if l.NextFirst {
		add(next, "next")
		add(self, "self")
	} else {
		add(self, "self")
		add(next, "next")
	}
	name := "Link"
	if l.Lower {
		name = "link"
	}
	if l.Joined {
		links = []string{strings.Join(links, ",")}
	}
	h[name] = links
}

func (l Links) value(url, rel string) string {
	v := "<" + url + ">"
	if l.Extra {
		v += `; title="page, of events; rel=\"prev\""`
	}
	if l.Bare {
		v += ";REL=" + rel
	} else {
		v += `; rel="` + rel + `"`
	}
	if l.Extra {
		v += `; type="application/json"`
	}
	return v
}

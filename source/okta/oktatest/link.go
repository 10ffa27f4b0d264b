package oktatest

import (
	"math/rand/v2"
	"net/http"
	"strings"
)

// LogsPath is the path of the System Log.
const LogsPath = "/api/v1/logs"

// Links is the form of an answer's Link headers. The zero value is the form in Okta's
// documentation: two headers, self first.
type Links struct {
	Joined    bool // one header with both links
	NextFirst bool // next before self
	Lower     bool // the header's name in lower case
	Commas    bool // the URLs contain commas
	Bare      bool // rel without quotes, in mixed case
	Extra     bool // further parameters besides rel
	Relative  bool // no scheme and host

	Params Params // parameters of a next link besides its cursor
	Empty  Empty  // target of an empty page's next link

	Vary bool // choose all of the above, except Relative, at random for each answer
}

// Params are a next link's parameters besides its cursor and the filter.
type Params int

const (
	ParamsLimit Params = iota // limit, if the request had one
	ParamsAfter               // none, so that the next page has the default limit
	ParamsAll                 // since, limit and sortOrder
)

// Empty is the target of an empty page's next link.
type Empty int

const (
	EmptySame     Empty = iota // the requested cursor
	EmptyAdvanced              // a newer cursor
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
		l.Params = ParamsLimit // otherwise every stream would soon have pages of 100
	}
	return l
}

// nextQuery returns the query of a next link.
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

// write sets the header; an empty next is omitted.
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

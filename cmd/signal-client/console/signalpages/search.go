package signalpages

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
)

// searchPage is the data of the template "search".
type searchPage struct {
	Query    string     // as in the URL, for a browser whose scripts are still loading
	Settings string     // JSON for static/search.js
	Index    view.Index // as the page is made
}

// settings is what the search in the browser must know of the kinds of sources.
type settings struct {
	Columns []string   `json:"columns"`
	Facets  []string   `json:"facets"`
	Index   view.Index `json:"index"`
}

func (p *pages) search(w http.ResponseWriter, r *http.Request) {
	index := p.Index()
	s := settings{Index: index, Facets: []string{"instance"}}
	for _, kind := range p.Store.Kinds {
		s.Columns = append(s.Columns, added(kind.Reading.Columns, s.Columns)...)
		s.Facets = append(s.Facets, added(kind.Reading.Facets, s.Facets)...)
	}
	s.Columns = append(s.Columns, "instance")
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // plain data
	}
	p.Render(w, r, http.StatusOK, "signals/search", searchPage{Query: cmp.Or(r.URL.Query().Get("q"), r.URL.Query().Get("query")), Settings: string(data), Index: index})
}

// added returns the fields that are not among those had.
func added(fields, had []string) (all []string) {
	for _, f := range fields {
		if !slices.Contains(had, f) {
			all = append(all, f)
		}
	}
	return all
}

// index answers with how far the index is, for a page that waits for it.
func (p *pages) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(p.Index()) // the reader is gone
}

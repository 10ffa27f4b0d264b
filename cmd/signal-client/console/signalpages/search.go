package signalpages

import (
	"encoding/json"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
)

// searchPage is the data of the template "search".
type searchPage struct {
	Query    string     // as in the URL, for a browser whose scripts are still loading
	Settings string     // JSON for static/search.js
	Index    view.Index // as the page is made
}

// settings is what the search in the browser must know of the kind of source.
type settings struct {
	Kind    string     `json:"kind"`
	Columns []string   `json:"columns"`
	Facets  []string   `json:"facets"`
	Index   view.Index `json:"index"`
	User    string     `json:"user"`
}

func (p *pages) search(w http.ResponseWriter, r *http.Request) {
	reading, index := p.Store.Kind.Reading, p.Index()
	data, err := json.Marshal(settings{
		Kind:    p.Store.Kind.Title,
		Columns: append(reading.Columns[:len(reading.Columns):len(reading.Columns)], "instance"),
		Facets:  append([]string{"instance"}, reading.Facets...),
		Index:   index,
		User:    access.From(r.Context()).Name,
	})
	if err != nil {
		panic(err) // plain data
	}
	p.Render(w, r, http.StatusOK, "signals/search", searchPage{Query: r.URL.Query().Get("q"), Settings: string(data), Index: index})
}

// index answers with how far the index is, for a page that waits for it.
func (p *pages) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(p.Index()) // the reader is gone
}

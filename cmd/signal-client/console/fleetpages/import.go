package fleetpages

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// importMost is the largest file that is read: 10,000 orgs have room in it.
const importMost = 8 << 20

// rowShown is a row of an import before anything is written. Value is what the page's
// script posts to /api/v1/integrations; its token is the one that the file held.
type rowShown struct {
	Place    string            `json:"place"`
	Instance string            `json:"instance"`
	Name     string            `json:"name"`
	FQDN     string            `json:"fqdn"`
	Interval string            `json:"interval"`
	Value    orgs.Value        `json:"value"`
	Wrong    []view.FieldError `json:"wrong"` // empty: it can be written
}

// preview answers with the rows of a file, and writes nothing.
func (p *pages) preview(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, importMost))
	if err != nil {
		fault(w, http.StatusRequestEntityTooLarge, "The file can't be read", err.Error(), "import at most 8 MiB at once")
		return
	}
	candidates, err := orgs.ParseCandidates("the file", data)
	if err != nil {
		said := problem.Of(problem.Split(err)[0])
		fault(w, http.StatusUnprocessableEntity, said.Op, said.Err.Error(), said.Hint)
		return
	}
	standing := map[string]bool{}
	for _, i := range p.View.Fleet().Integrations {
		standing[i.Instance] = true
	}
	rows := []rowShown{}
	for _, c := range candidates {
		row := rowOf(c)
		if standing[c.Instance] {
			row.Wrong = append(row.Wrong, view.FieldError{Field: "instance", Cause: "there is an integration of that name, or an earlier row", Remedy: "take the row out, or name it otherwise"})
		}
		standing[c.Instance] = true
		rows = append(rows, row)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"rows": rows}) // the reader is gone: nobody to tell
}

// rowOf checks a row as the service does.
func rowOf(c orgs.Candidate) rowShown {
	row := rowShown{Place: c.Place, Instance: c.Instance, Value: c.Value, Wrong: []view.FieldError{}}
	if err := c.Fault(); err != nil {
		return row.with(err)
	}
	c.Value.Clean()
	i, errs := c.Value.Check(c.Instance, func(field string) string { return field })
	for _, err := range errs {
		row = row.with(err)
	}
	if errs == nil {
		c.Value.Tidy(i)
	}
	row.Name, row.FQDN, row.Interval = orgs.Text(c.Value.At("name")), orgs.Text(c.Value.At("settings.fqdn")), orgs.Text(c.Value.At("poll_interval"))
	if row.FQDN == "" {
		row.FQDN = orgs.Text(c.Value.At("settings.base_url"))
	}
	return row
}

func (r rowShown) with(err error) rowShown {
	said := problem.Of(err)
	r.Wrong = append(r.Wrong, view.FieldError{Field: said.Op, Cause: errors.Unwrap(&said).Error(), Remedy: said.Hint})
	return r
}

// fault answers with a problem document.
func fault(w http.ResponseWriter, status int, title, cause, remedy string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": title, "cause": cause, "remedy": remedy})
}

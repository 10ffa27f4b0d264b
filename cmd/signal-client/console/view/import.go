package view

import (
	"context"
	"errors"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
)

// ImportOptions says what an import does.
type ImportOptions struct {
	Preview bool // nothing is written
	Replace bool // existing integrations are changed
}

// Row is what becomes of a row of an import.
type Row struct {
	Place    string       `json:"place"` // line 3
	Instance string       `json:"instance"`
	Name     string       `json:"name"`
	Org      string       `json:"org"`    // as it would be written
	Result   string       `json:"result"` // created, changed, unchanged or wrong
	Wrong    []FieldError `json:"wrong,omitempty"`
}

// Results of a Row.
const (
	RowCreated   = "created"
	RowChanged   = "changed"
	RowUnchanged = "unchanged"
	RowWrong     = "wrong"
)

// Import adds integrations row by row. If any row is wrong, or in a preview, none is
// written.
func (v *View) Import(ctx context.Context, by access.User, candidates []orgs.Candidate, o ImportOptions) ([]Row, error) {
	given := make([]orgs.Value, len(candidates)) // before what is stored is added
	for n, c := range candidates {
		if c.Value != nil {
			c.Value.Clean()
			given[n] = c.Value.Clone()
		}
	}
	checked, err := orgs.PrepareEach(ctx, v.orgs, candidates, o.Replace, func(_ orgs.Candidate, field string) string { return field })
	if err != nil {
		return nil, err
	}
	rows, wrong := make([]Row, len(candidates)), false
	for n, c := range candidates {
		rows[n] = rowOf(c, checked[n])
		rows[n].keepHost(c, given[n])
		if c.Before.Value != nil && !o.Replace {
			rows[n].Result, rows[n].Wrong = RowWrong, []FieldError{exists}
		}
		wrong = wrong || rows[n].Result == RowWrong
	}
	if wrong || o.Preview {
		return rows, nil
	}
	for n, c := range candidates {
		if rows[n].Result == RowUnchanged {
			continue
		}
		err := c.Put(ctx, v.orgs, author(by))
		if _, err = v.made(by, c.Instance, rows[n].Result, 0, nil, err); err != nil {
			rows[n].Result, rows[n].Wrong = RowWrong, []FieldError{{Field: "instance", Cause: err.Error(), Remedy: "import the file again: rows that are written stay as they are"}}
		}
	}
	return rows, nil
}

// exists is what is wrong with a row of an integration that is stored already.
var exists = FieldError{Field: "instance", Cause: "it exists already", Remedy: "take the row out, or choose Change integrations that exist already (replace=true)"}

func rowOf(c orgs.Candidate, wrongs []error) Row {
	row := Row{Place: c.Place, Instance: c.Instance, Name: orgs.Text(c.Value.At("name")), Org: orgs.Text(c.Value.At("settings.fqdn")), Result: RowCreated}
	if row.Org == "" {
		row.Org = orgs.Text(c.Value.At("settings.base_url"))
	}
	if before, err := orgs.ReadValue(c.Before.Value); err == nil {
		row.Result = RowChanged
		if before.Equal(c.Value) {
			row.Result = RowUnchanged
		}
	}
	for _, wrong := range wrongs {
		row.Result = RowWrong
		row.Wrong = append(row.Wrong, fieldError(wrong))
	}
	return row
}

// keepHost marks a row as wrong that would send the stored secret to another host.
func (r *Row) keepHost(c orgs.Candidate, given orgs.Value) {
	was, err := orgs.ReadValue(c.Before.Value)
	if err != nil || r.Result == RowWrong {
		return
	}
	if wrong, ok := errors.AsType[*Invalid](keepsHost(was, c.Value, given, c.Instance)); ok {
		r.Result, r.Wrong = RowWrong, wrong.Fields
	}
}

// fieldError returns a problem that PrepareEach found: of a field, or of the whole row.
func fieldError(wrong error) FieldError {
	p := problem.Of(wrong)
	if p.Err == nil || strings.ContainsAny(p.Op, ": ") {
		return FieldError{Field: "instance", Cause: wrong.Error(), Remedy: p.Hint}
	}
	return FieldError{Field: p.Op, Cause: p.Err.Error(), Remedy: p.Hint}
}

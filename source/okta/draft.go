package okta

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
)

// draft is an integration as written, with the faults found so far.
type draft struct {
	value any
	wrong []schemas.Complaint
}

// newDraft parses a value and checks it against the schema.
func newDraft(data []byte) *draft {
	d := &draft{}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // some editors begin a file with a byte order mark
	if err := json.Unmarshal(data, &d.value); err != nil {
		d.value = nil
		d.schema(schemas.Validate("integration", data))
		return d
	}
	d.tidy()
	d.schema(schemas.ValidateValue("integration", d.value))
	return d
}

func (d *draft) isObject() bool {
	_, ok := d.value.(map[string]any)
	return ok
}

// tidy converts lenient spellings to what the schema expects.
func (d *draft) tidy() {
	top, _ := d.value.(map[string]any)
	settings, _ := top["settings"].(map[string]any)
	credentials, _ := top["credentials"].(map[string]any)
	for _, members := range []map[string]any{top, settings, credentials} {
		for name, v := range members {
			if v == nil || v == "" {
				delete(members, name)
			}
		}
	}
	groups := map[string]map[string]any{"": top, "settings.": settings, "credentials.": credentials}
	for _, f := range fields {
		if name := f.Last(); f.Plain() {
			unquote(groups[strings.TrimSuffix(f.Path, name)], name)
		}
	}
	if kind, ok := top["integration_type"].(string); ok {
		top["integration_type"] = strings.ToLower(strings.TrimSpace(kind))
	}
	if top["poll_interval"] != nil {
		delete(top, "poll_interval_minutes")
	}
}

// unquote replaces a string that holds a number or a boolean by its value.
func unquote(members map[string]any, name string) {
	s, ok := members[name].(string)
	if !ok {
		return
	}
	var v any
	if json.Unmarshal([]byte(strings.ToLower(s)), &v) != nil {
		return
	}
	switch v.(type) {
	case float64, bool:
		members[name] = v
	}
}

// schema adds the schema's complaints, each with its advice.
func (d *draft) schema(err error) {
	if err == nil {
		return
	}
	invalid, ok := errors.AsType[*schemas.Error](err)
	if !ok {
		d.complain("", err.Error(), "")
		return
	}
	for _, c := range invalid.Complaints {
		d.complain(c.Field, c.Problem, fieldAt(c.Field).Advice)
	}
}

func (d *draft) complain(field, problem, advice string) {
	if advice != "" {
		problem += " (" + advice + ")"
	}
	d.wrong = append(d.wrong, schemas.Complaint{Field: field, Problem: problem})
}

func (d *draft) err() error {
	if len(d.wrong) == 0 {
		return nil
	}
	slices.SortStableFunc(d.wrong, func(a, b schemas.Complaint) int { return cmp.Compare(a.Field, b.Field) })
	return &pipeline.ConfigError{Complaints: d.wrong}
}

// at returns the value of a field; nil: absent.
func (d *draft) at(field string) any {
	v := d.value
	for name := range strings.SplitSeq(field, ".") {
		members, _ := v.(map[string]any)
		v = members[name]
	}
	return v
}

// text returns a field's string, or its default. The schema complains of other types.
func (d *draft) text(field string) string {
	s, ok := d.at(field).(string)
	if !ok {
		s, _ = fieldAt(field).Default.(string)
	}
	return s
}

// number is text for a number.
func (d *draft) number(field string) float64 {
	n, ok := d.at(field).(float64)
	if !ok {
		n, _ = fieldAt(field).Default.(float64)
	}
	return n
}

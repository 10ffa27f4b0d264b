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
	for _, name := range []string{"enabled", "poll_interval_minutes"} {
		unquote(top, name)
	}
	for _, name := range []string{"limit", "rate_share"} {
		unquote(settings, name)
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

// advice says what to write instead, by field, where the schema's complaint does not.
var advice = map[string]string{
	"":                           `write an object such as {"settings": {"fqdn": "acme.okta.com"}, "credentials": {"api_token": "…"}}`,
	"enabled":                    "write true or false",
	"poll_interval":              "write a duration such as 5m",
	"poll_interval_minutes":      "write minutes such as 5, or poll_interval",
	"settings":                   `write {"fqdn": "acme.okta.com"}`,
	"settings.fqdn":              "write the org's host name, such as acme.okta.com",
	"settings.base_url":          "write a URL such as https://acme.okta.com",
	"settings.since":             "write an age such as 24h or 7d, or a time such as 2026-11-20 or 2026-11-20T08:00:00Z",
	"settings.filter":            "write Okta's filter expression",
	"settings.limit":             "write 1 to 999, or leave it out",
	"settings.rate_share":        "write more than 0 and at most 1, such as 0.5",
	"settings.link_hosts":        `write a list of host names, such as ["login.acme.com"]`,
	"credentials":                `write {"api_token": "…"} or {"api_token_file": "…"}`,
	"credentials.api_token":      "write the org's API token, or api_token_file",
	"integration_type":           "write okta",
	"credentials.api_token_file": "write the path of the file that holds the API token",
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
		d.complain(c.Field, c.Problem, advice[c.Field])
	}
}

func (d *draft) complain(field, problem, advice string) {
	if advice != "" {
		problem += " (" + advice + ")"
	}
	d.wrong = append(d.wrong, schemas.Complaint{Field: field, Problem: problem})
}

// err returns all faults, sorted by field.
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

// text returns a field's string. The schema has complained of any other type.
func (d *draft) text(field string) string {
	s, _ := d.at(field).(string)
	return s
}

func (d *draft) number(field string, otherwise float64) float64 {
	if n, ok := d.at(field).(float64); ok {
		return n
	}
	return otherwise
}

package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/pipeline"
)

// parseCandidates reads orgs from a JSON list or from CSV, whichever it is. All
// that is wrong with the file itself is said at once.
func parseCandidates(path string, data []byte) ([]candidate, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff"))) // spreadsheets begin with that
	if len(data) == 0 {
		return nil, wrong("read "+path, "it is empty", "a header row and a row for each org: instance,fqdn,api_token_file")
	}
	read := candidatesCSV
	if data[0] == '[' || data[0] == '{' {
		read = candidatesJSON
	}
	candidates, err := read(path, data)
	if err != nil {
		return nil, err
	}
	var errs []error
	places := map[string]string{}
	for _, c := range candidates {
		if before, twice := places[c.instance]; twice && c.instance != "" {
			errs = append(errs, wrong(fmt.Sprintf("%s: %s is in the file twice", c.place, c.instance), "it is at "+before+" too", "take one of them out"))
		}
		places[c.instance] = c.place
	}
	return candidates, errors.Join(errs...)
}

func candidatesJSON(path string, data []byte) ([]candidate, error) {
	if data[0] == '{' {
		return nil, wrong("read "+path, "it is one object, not a list", `[{"instance": "acme", "settings": {"fqdn": "acme.okta.com"}, …}]`)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, wrong("read "+path, "it is no JSON list: "+err.Error(), "signal-client integrations export, to see one")
	}
	var candidates []candidate
	var errs []error
	for n, raw := range list {
		c := candidate{place: fmt.Sprintf("entry %d", n+1)}
		v, err := readValue(raw)
		if err != nil {
			errs = append(errs, wrong(c.place, "it is no JSON object", `{"instance": "acme", "settings": {"fqdn": "acme.okta.com"}, …}`))
			continue
		}
		c.instance, _ = v["instance"].(string)
		delete(v, "instance")
		c.value = v
		candidates = append(candidates, c)
	}
	return candidates, errors.Join(errs...)
}

func candidatesCSV(path string, data []byte) ([]candidate, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.TrimLeadingSpace = true
	if header, _, _ := bytes.Cut(data, []byte("\n")); !bytes.Contains(header, []byte(",")) && bytes.Contains(header, []byte(";")) {
		r.Comma = ';' // as spreadsheets of many countries write it
	}
	rows, err := r.ReadAll()
	if err != nil {
		return nil, wrong("read "+path, csvFault(err), "a header row, and as many cells in each row: instance,fqdn,api_token_file")
	}
	columns, err := columnsOf(rows[0])
	if err != nil {
		return nil, err
	}
	var candidates []candidate
	for n, row := range rows[1:] {
		c := candidate{place: fmt.Sprintf("row %d", n+2), value: newValue(true)}
		for i, cell := range row {
			columns[i](&c, strings.TrimSpace(cell))
		}
		candidates = append(candidates, c)
	}
	return candidates, nil
}

// csvFault shows nothing of the row: a token may be in it.
func csvFault(err error) string {
	if at, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Sprintf("line %d: %v", at.Line, at.Err)
	}
	return err.Error()
}

// columnsOf says what each column's cells are.
func columnsOf(header []string) ([]func(*candidate, string), error) {
	instance := func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), "instance") }
	if !slices.ContainsFunc(header, instance) {
		// Nothing of it is shown: without a header this is an org, and may hold its token.
		return nil, wrong("row 1 is no header", "no column is called instance, and each org needs a name", "instance,fqdn,api_token_file as the first row")
	}
	var errs []error
	columns := make([]func(*candidate, string), len(header))
	for i, name := range header {
		switch f, known := fieldOf(name); {
		case instance(name):
			columns[i] = func(c *candidate, cell string) { c.instance = cell }
		case looksSecret(strings.TrimSpace(name)):
			columns[i] = func(c *candidate, cell string) {
				if cell != "" {
					c.value.Put(tokenPath, pipeline.NewSecret(cell).Reveal())
				}
			}
		case known:
			columns[i] = func(c *candidate, cell string) {
				if cell != "" {
					c.value.fill(f, cell)
				}
			}
		default:
			errs = append(errs, unknownField(name, fmt.Sprintf("column %q", name)))
		}
	}
	return columns, errors.Join(errs...)
}

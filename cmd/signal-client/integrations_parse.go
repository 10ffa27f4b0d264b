package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/witfoo/signal-client/pipeline"
)

// parseCandidates reads orgs from a JSON list or from CSV, whichever it is. What is
// wrong with one of them it leaves to prepare.
func parseCandidates(path string, data []byte) ([]candidate, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // spreadsheets begin with that
	first := bytes.TrimSpace(data)
	switch {
	case len(first) == 0:
		return nil, wrong("read "+path, "it is empty", "a header row and a row for each org: instance,fqdn,api_token_file")
	case !utf8.Valid(data):
		return nil, wrong("read "+path, "it is not UTF-8", "save it as that (spreadsheets call it CSV UTF-8)")
	case first[0] == '[' || first[0] == '{':
		return candidatesJSON(path, first)
	}
	return candidatesCSV(path, data)
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
	for n, raw := range list {
		c := candidate{place: fmt.Sprintf("entry %d", n+1)}
		v, err := readValue(raw)
		if err != nil {
			c.fault = wrong(c.place, "it is no JSON object", `{"instance": "acme", "settings": {"fqdn": "acme.okta.com"}, …}`)
		}
		c.instance, _ = v["instance"].(string)
		delete(v, "instance")
		c.value = v
		candidates = append(candidates, c)
	}
	return candidates, nil
}

func candidatesCSV(path string, data []byte) ([]candidate, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = -1 // each row that has too few or too many is named
	if header, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n")); !bytes.Contains(header, []byte(",")) && bytes.Contains(header, []byte(";")) {
		r.Comma = ';' // as spreadsheets of many countries write it
	}
	var columns []func(*candidate, string)
	var candidates []candidate
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return candidates, nil
		}
		if err != nil {
			return nil, wrong("read "+path, csvFault(err), "a header row, and a row for each org: instance,fqdn,api_token_file")
		}
		if strings.TrimSpace(strings.Join(row, "")) == "" {
			continue // spreadsheets leave such behind
		}
		line, _ := r.FieldPos(0)
		if columns == nil {
			if columns, err = columnsOf(line, row); err != nil {
				return nil, err
			}
			continue
		}
		candidates = append(candidates, candidateOf(line, row, columns))
	}
}

func candidateOf(line int, row []string, columns []func(*candidate, string)) candidate {
	c := candidate{place: fmt.Sprintf("line %d", line), value: newValue(true)}
	if len(row) != len(columns) {
		c.fault = wrong(c.place, fmt.Sprintf("it has %s, and the header %d", count(len(row), "cell"), len(columns)), "as many cells as columns")
		return c
	}
	for i, cell := range row {
		columns[i](&c, strings.TrimSpace(cell))
	}
	return c
}

// csvFault shows nothing of the row: a token may be in it.
func csvFault(err error) string {
	if at, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Sprintf("line %d: %v", at.Line, at.Err)
	}
	return err.Error()
}

// columnsOf says what each column's cells are.
func columnsOf(line int, header []string) ([]func(*candidate, string), error) {
	instance := func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), "instance") }
	if !slices.ContainsFunc(header, instance) {
		// Nothing of it is shown: without a header this is an org, and may hold its token.
		return nil, wrong(fmt.Sprintf("line %d is no header", line), "no column is called instance, and each org needs a name", "instance,fqdn,api_token_file as the first row")
	}
	var errs []error
	columns := make([]func(*candidate, string), len(header))
	seen := map[string]bool{}
	for i, name := range header {
		f, known := fieldOf(name)
		switch {
		case instance(name):
			f.path = "instance"
			columns[i] = func(c *candidate, cell string) { c.instance = cell }
		case looksSecret(strings.TrimSpace(name)):
			f.path = tokenPath
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
			continue
		}
		if seen[f.path] {
			errs = append(errs, wrong(fmt.Sprintf("column %q", name), "it is there twice", "take one of them out"))
		}
		seen[f.path] = true
	}
	return columns, errors.Join(errs...)
}

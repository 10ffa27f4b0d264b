package orgs

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

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// ParseCandidates parses orgs from JSON or CSV. Faults of a single org are left to Prepare.
func ParseCandidates(path string, data []byte) ([]Candidate, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // spreadsheets write a byte order mark
	first := bytes.TrimSpace(data)
	switch {
	case len(first) == 0:
		return nil, problem.Usage("read "+path, "it is empty", "use a header row and a row for each org: instance,fqdn,api_token_file")
	case !utf8.Valid(data):
		return nil, problem.Usage("read "+path, "it is not UTF-8", "save it as UTF-8 (spreadsheets call it CSV UTF-8)")
	case first[0] == '[' || first[0] == '{':
		return candidatesJSON(path, first)
	}
	return candidatesCSV(path, data)
}

func candidatesJSON(path string, data []byte) ([]Candidate, error) {
	if data[0] == '{' {
		return nil, problem.Usage("read "+path, "it is one object, not a list", `[{"instance": "acme", "settings": {"fqdn": "acme.okta.com"}, …}]`)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, problem.Usage("read "+path, "it is not a JSON list: "+err.Error(), "see the output of: signal-client integrations export")
	}
	var candidates []Candidate
	for n, raw := range list {
		c := Candidate{Place: fmt.Sprintf("entry %d", n+1)}
		v, err := ReadValue(raw)
		if err != nil {
			c.fault = problem.Usage(c.Place, "it is not a JSON object", `{"instance": "acme", "settings": {"fqdn": "acme.okta.com"}, …}`)
		}
		c.Instance, _ = v["instance"].(string)
		delete(v, "instance")
		c.Value = v
		candidates = append(candidates, c)
	}
	return candidates, nil
}

func candidatesCSV(path string, data []byte) ([]Candidate, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = -1 // rows with too few or too many cells are reported below
	if header, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n")); !bytes.Contains(header, []byte(",")) && bytes.Contains(header, []byte(";")) {
		r.Comma = ';' // spreadsheets of many countries write semicolons
	}
	var columns []func(*Candidate, string)
	var candidates []Candidate
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return candidates, nil
		}
		if err != nil {
			return nil, problem.Usage("read "+path, csvFault(err), "use a header row and a row for each org: instance,fqdn,api_token_file")
		}
		if strings.TrimSpace(strings.Join(row, "")) == "" {
			continue // spreadsheets leave empty rows behind
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

func candidateOf(line int, row []string, columns []func(*Candidate, string)) Candidate {
	c := Candidate{Place: fmt.Sprintf("line %d", line), Value: NewValue(true)}
	if len(row) != len(columns) {
		c.fault = problem.Usage(c.Place, fmt.Sprintf("it has %s, but the header %d", term.Count(len(row), "cell"), len(columns)), "write as many cells as columns")
		return c
	}
	for i, cell := range row {
		columns[i](&c, strings.TrimSpace(cell))
	}
	return c
}

// csvFault shows nothing of the row, which may contain a token.
func csvFault(err error) string {
	if at, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Sprintf("line %d: %v", at.Line, at.Err)
	}
	return err.Error()
}

// columnsOf returns how to read each column.
func columnsOf(line int, header []string) ([]func(*Candidate, string), error) {
	instance := func(name string) bool { return strings.EqualFold(strings.TrimSpace(name), "instance") }
	if !slices.ContainsFunc(header, instance) {
		// Its cells are not shown: without a header this row is an org, and may contain
		// its token.
		return nil, problem.Usage(fmt.Sprintf("line %d is not a header", line), "no column is named instance, and each org needs a name", "write instance,fqdn,api_token_file as the first row")
	}
	var errs []error
	columns := make([]func(*Candidate, string), len(header))
	seen := map[string]bool{}
	for i, name := range header {
		f, known := FieldOf(name)
		switch {
		case instance(name):
			f.Path = "instance"
			columns[i] = func(c *Candidate, cell string) { c.Instance = cell }
		case LooksSecret(strings.TrimSpace(name)):
			f.Path = tokenPath
			columns[i] = func(c *Candidate, cell string) {
				if cell != "" {
					c.Value.Put(tokenPath, pipeline.NewSecret(cell).Reveal())
				}
			}
		case known:
			columns[i] = func(c *Candidate, cell string) {
				if cell != "" {
					c.Value.fill(f, cell)
				}
			}
		default:
			errs = append(errs, UnknownField(name, fmt.Sprintf("column %q", name)))
			continue
		}
		if seen[f.Path] {
			errs = append(errs, problem.Usage(fmt.Sprintf("column %q", name), "it is there twice", "take one of them out"))
		}
		seen[f.Path] = true
	}
	return columns, errors.Join(errs...)
}

package search

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline/jsonscan"
	index "github.com/witfoo/signal-client/sink/search"
)

// printer prints rows in one form.
type printer interface {
	rows(ctx context.Context, rows []row) error
	end() error // after the last row
}

// linePrinter prints the lines of the answer as they are.
type linePrinter struct{ to term.Screen }

func (p linePrinter) rows(_ context.Context, rows []row) error {
	for _, r := range rows {
		if _, err := p.to.Write(append(r.line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func (linePrinter) end() error { return nil }

// tablePrinter prints one table.
type tablePrinter struct {
	to   term.Screen
	grid term.Grid
}

func (p *tablePrinter) rows(_ context.Context, rows []row) error {
	for _, r := range rows {
		if len(p.grid.Rows) == 0 {
			p.grid.Header = columns(r)
		}
		p.grid.Rows = append(p.grid.Rows, cells(r, p.grid.Header))
	}
	return nil
}

func (p *tablePrinter) end() error {
	if len(p.grid.Rows) == 0 {
		return nil
	}
	p.grid.Header = slices.Clone(p.grid.Header)
	for i, name := range p.grid.Header {
		p.grid.Header[i] = title(name)
	}
	return p.grid.Print(p.to)
}

// columns returns the members that a table shows: of events those that people look at,
// of other rows all.
func columns(r row) []string {
	if r.seq > 0 && !r.at.IsZero() {
		return append([]string{index.FieldTime, index.FieldInstance}, kinds.Default.Reading.Columns...)
	}
	var names []string
	_ = jsonscan.New(r.line).Object(func(name, _ []byte) { names = append(names, string(name)) })
	return names
}

// title returns a column's title: the field's name, of ours a word.
func title(name string) string {
	switch name {
	case index.FieldTime:
		return "time"
	case index.FieldMessage:
		return "message"
	}
	return name
}

// longest is how much of a value a table shows.
const longest = 60

func cells(r row, names []string) []any {
	var cells []any
	for _, name := range names {
		value := any(term.Cut(plain(jsonscan.Text(r.line, name)), longest))
		if name == index.FieldTime && !r.at.IsZero() {
			value = r.at.UTC().Format("2006-01-02 15:04:05")
		}
		cells = append(cells, value)
	}
	return cells
}

// plain returns an array's values with commas between them.
func plain(value string) string {
	var list []any
	if !strings.HasPrefix(value, "[") || json.Unmarshal([]byte(value), &list) != nil {
		return value
	}
	var texts []string
	for _, v := range list {
		texts = append(texts, fmt.Sprint(v))
	}
	return strings.Join(texts, ", ")
}

// eventPrinter prints one line per event, as they come.
type eventPrinter struct{ to term.Screen }

func (p *eventPrinter) rows(_ context.Context, rows []row) error {
	for _, r := range rows {
		line := term.Printable(r.at.UTC().Format(time.DateTime) + " " + jsonscan.Text(r.line, index.FieldInstance))
		for _, name := range kinds.Default.Reading.Columns {
			if value := plain(jsonscan.Text(r.line, name)); value != "" {
				line += "  " + term.Cut(term.Printable(value), longest)
			}
		}
		if _, err := io.WriteString(p.to, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (*eventPrinter) end() error { return nil }

// caret returns the line of a query that is wrong, with a caret under the place.
func caret(e *index.QueryError) string {
	at := len(string([]rune(e.Query)[:e.Offset]))
	begin := strings.LastIndexByte(e.Query[:at], '\n') + 1
	line, _, _ := strings.Cut(e.Query[begin:], "\n")
	before := e.Query[begin:at]
	const room = 60 // runes before the place
	if n := utf8.RuneCountInString(before); n > room {
		before = "…" + string([]rune(before)[n-room:])
		line = before + line[at-begin:]
	}
	if after := []rune(line[len(before):]); len(after) > room {
		line = before + string(after[:room]) + "…"
	}
	return fmt.Sprintf("  %s\n  %s^\n", term.Printable(line), strings.Repeat(" ", text.StringWidthWithoutEscSequences(term.Printable(before))))
}

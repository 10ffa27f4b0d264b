package term

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/witfoo/signal-client/pipeline"
)

// Grid is a command's list: a table for people, tab-separated values with a header for
// programs. A time.Time cell is relative to Now for people, and RFC 3339 for programs; a
// pipeline.State is coloured by urgency.
type Grid struct {
	Title  string
	Header []string
	Rows   [][]any
	Now    time.Time // zero: the current time

	Notes [][]string // for people: lines below the row of that number, across all columns

	Headless bool // for programs: the header was printed before
}

// Print writes the grid.
func (g Grid) Print(to Screen) error {
	g.Now = cmp.Or(g.Now, time.Now())
	if to.Terminal {
		return g.table(to)
	}
	return g.tsv(to)
}

func (g Grid) tsv(to Screen) error {
	var b strings.Builder
	if !g.Headless {
		b.WriteString(strings.Join(g.Header, "\t") + "\n")
	}
	for _, row := range g.Rows {
		for i, cell := range row {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(Printable(plainCell(cell)))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func (g Grid) table(to Screen) error {
	w := table.NewWriter()
	w.SetStyle(table.StyleRounded)
	w.Style().Format.Header = text.FormatDefault
	w.AppendHeader(anys(g.Header))
	rows := []table.Row{anys(g.Header)}
	for _, row := range g.Rows {
		rows = append(rows, g.tableRow(to, row))
	}
	for n, row := range rows[1:] {
		w.AppendRow(row)
		if n < len(g.Notes) && len(g.Notes[n]) > 0 {
			w.AppendRow(table.Row{noteMark})
		}
	}
	if to.Width != nil {
		fit(w, rows, to.Width())
	}
	frame, _, _ := strings.Cut(w.Render(), "\n")
	w.SetTitle(text.WrapSoft(g.Title, text.StringWidthWithoutEscSequences(frame)-4)) // a longer one would be broken within a word
	_, err := fmt.Fprintln(to, g.noted(w.Render()))
	return err
}

// noteMark marks a row that is replaced by the notes of the row above.
const noteMark = "\uE000"

// noted inserts the notes into a table, across all columns and wrapped to its width.
func (g Grid) noted(rendered string) string {
	notes := slices.DeleteFunc(slices.Clone(g.Notes), func(lines []string) bool { return len(lines) == 0 })
	var b strings.Builder
	for line := range strings.Lines(rendered) {
		if len(notes) == 0 || !strings.Contains(line, noteMark) {
			b.WriteString(line)
			continue
		}
		inner := text.StringWidthWithoutEscSequences(strings.TrimSpace(line)) - 4 // frame and padding
		for _, note := range notes[0] {
			for part := range strings.SplitSeq(text.WrapSoft(Printable(note), inner-2), "\n") {
				fmt.Fprintf(&b, "│   %s │\n", text.Pad(strings.TrimSpace(part), inner-2, ' '))
			}
		}
		notes = notes[1:]
	}
	return b.String()
}

// leastColumn is how narrow a column may become, in columns of the terminal.
const leastColumn = 8

// fit makes a table no wider than the terminal, if its width is known: it wraps the
// widest columns, and cuts off the last ones if that is not enough.
func fit(w table.Writer, rows []table.Row, width int) {
	widths := make([]int, len(rows[0]))
	total := 3*len(widths) + 1 // frame and padding
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(row[i].(string)))
		}
		total += widths[i]
	}
	if width <= 0 || total <= width {
		return
	}
	for _, least := range [][]int{longestWords(rows), make([]int, len(widths))} { // words are broken last
		for total > width {
			widest := -1
			for i, w := range widths {
				if w > max(leastColumn, least[i]) && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
			total--
		}
	}
	var columns []table.ColumnConfig
	for i, most := range widths {
		columns = append(columns, table.ColumnConfig{Number: i + 1, WidthMax: most, WidthMaxEnforcer: text.WrapSoft})
	}
	w.SetColumnConfigs(columns)
	w.Style().Size.WidthMax = width
}

// longestWords returns the width of each column's longest word.
func longestWords(rows []table.Row) []int {
	longest := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			for word := range strings.FieldsSeq(cell.(string)) {
				longest[i] = max(longest[i], text.StringWidthWithoutEscSequences(word))
			}
		}
	}
	return longest
}

func (g Grid) tableRow(to Screen, row []any) table.Row {
	cells := make(table.Row, len(row))
	for i, cell := range row {
		switch c := cell.(type) {
		case time.Time:
			cells[i] = Relative(c, g.Now)
		case pipeline.State:
			cells[i] = to.Paint(stateColor(c), string(c))
		default:
			cells[i] = Printable(fmt.Sprint(c))
		}
	}
	return cells
}

// plainCell returns a cell for programs.
func plainCell(cell any) string {
	t, ok := cell.(time.Time)
	switch {
	case !ok:
		return fmt.Sprint(cell)
	case t.IsZero():
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// stateColor returns the colour of a state's urgency.
func stateColor(s pipeline.State) Color {
	switch s {
	case pipeline.StatePolling, StateEnabled:
		return Green
	case pipeline.StateCatchingUp, pipeline.StateNew:
		return cyan
	case pipeline.StateThrottled, pipeline.StateRetrying:
		return Yellow
	case pipeline.StateDisabled:
		return Dim
	}
	return Red
}

// Relative returns how far t is from now.
func Relative(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := now.Sub(t)
	if d < 0 {
		return "in " + Span(-d)
	}
	if d < time.Second {
		return "now"
	}
	return Span(d) + " ago"
}

// Span returns a duration in its most significant unit.
func Span(d time.Duration) string {
	switch {
	case d > 0 && d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", 1000*d.Seconds())
	case d > 0 && d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// ExactSpan returns a duration as people write it: 5m, not 5m0s.
func ExactSpan(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func anys(texts []string) table.Row {
	row := make(table.Row, len(texts))
	for i, t := range texts {
		row[i] = t
	}
	return row
}

// When formats a time; on a terminal with its distance from now.
func When(t, now time.Time, people bool) any {
	if !people || t.IsZero() {
		return t
	}
	return fmt.Sprintf("%s, %s", t.UTC().Format("2006-01-02 15:04:05Z"), Relative(t, now))
}

// StateEnabled is the state of an enabled org; its status is not looked up.
const StateEnabled pipeline.State = "enabled"

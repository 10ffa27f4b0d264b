package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// report is the table of the figures.
type report struct{ rows []table.Row }

// Part begins a group of figures.
func (r *report) Part(title string) { r.rows = append(r.rows, table.Row{title, "", "", ""}) }

// Plain adds a figure that has no target.
func (r *report) Plain(name, value string) {
	r.rows = append(r.rows, table.Row{"  " + name, value, "", ""})
}

// Target adds a figure and what it should be.
func (r *report) Target(name, value, target string, met bool) {
	verdict := "ok"
	if !met {
		verdict = "missed"
	}
	r.rows = append(r.rows, table.Row{"  " + name, value, target, verdict})
}

// Print writes the table.
func (r *report) Print(to io.Writer) {
	w := table.NewWriter()
	w.SetStyle(table.StyleLight)
	w.Style().Format.Header = text.FormatDefault
	w.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 3, Align: text.AlignRight}})
	w.AppendHeader(table.Row{fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()), "measured", "target", ""})
	w.AppendRows(r.rows)
	fmt.Fprintf(to, "\n%s\n\n", w.Render())
}

// median of a list that is not empty.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread says how far the values of a list lie apart.
func spread(list []float64, format string) string {
	return fmt.Sprintf(format+" to "+format, slices.Min(list), slices.Max(list))
}

// loadAverage is that of the last minute, where the system tells: on a busy
// machine the figures are others' as well.
func loadAverage() string {
	said, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(said), " ")
	return minute
}

// thousands writes a count with commas.
func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

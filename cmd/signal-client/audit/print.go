package audit

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline/audit"
)

// print shows a report; its error is the exit code for differences.
func (a *auditCommand) print(r audit.Report) error {
	if a.json {
		if err := term.WriteJSON(a.Out(), r); err != nil {
			return err
		}
	} else if err := printAudit(a.Out(), r); err != nil {
		return err
	}
	if r.Left() > 0 {
		return problem.ExitCode(problem.Found)
	}
	return nil
}

func printAudit(to term.Screen, r audit.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, published %s to %s\n", r.Instance, r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339))
	line := func(n int, c term.Color, what string) {
		text := fmt.Sprintf("%9d  %s", n, what)
		if n > 0 && c != "" {
			text = to.Paint(c, text)
		}
		b.WriteString(text + "\n")
	}
	line(r.Both, "", "in both")
	line(r.Missing, term.Red, "missing here"+repaired(r))
	line(r.Twice, term.Red, "twice here")
	line(r.HereOnly, term.Yellow, "here only")
	if r.Waiting > 0 {
		line(r.Waiting, "", "not polled yet")
	}
	if r.Young > 0 {
		line(r.Young, "", "here, but too new for the org's search")
	}
	fmt.Fprintf(&b, "%s, %s, %s\n", verdictOf(r), term.Count(r.Requests, "request"), time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))
	if _, err := io.WriteString(to, b.String()); err != nil {
		return err
	}
	return printFindings(to, r)
}

func repaired(r audit.Report) string {
	if r.Repaired == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them stored now", r.Repaired)
}

func verdictOf(r audit.Report) string {
	switch {
	case r.Differences() == 0:
		return "no difference"
	case r.Left() <= 0:
		return "repaired"
	}
	return term.Count(r.Left(), "difference")
}

func printFindings(to term.Screen, r audit.Report) error {
	g := term.Grid{Title: "The first 20 of each kind", Header: []string{"difference", "published", "type", "uuid", "sequence"}}
	for _, kind := range []struct {
		name  string
		found []audit.Finding
	}{{"missing", r.MissingFirst}, {"twice", r.TwiceFirst}, {"here only", r.HereOnlyFirst}} {
		for _, f := range kind.found {
			g.Rows = append(g.Rows, []any{kind.name, f.Published, f.Type, f.UUID, places(f)})
		}
	}
	if len(g.Rows) == 0 {
		return nil
	}
	if r.Differences() == len(g.Rows) {
		g.Title = "All differences"
	}
	return g.Print(to)
}

// places returns the sequences of an event's copies.
func places(f audit.Finding) any {
	switch {
	case f.Seq == 0:
		return "-"
	case f.FirstSeq != 0:
		return fmt.Sprintf("%d, %d", f.FirstSeq, f.Seq)
	}
	return f.Seq
}

package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

// report is the doctor's report, as in schemas/doctor.json.
type report struct {
	Version  int       `json:"version"`
	At       time.Time `json:"at"`
	Result   outcome   `json:"result"` // the worst of all
	OK       int       `json:"ok"`
	Warnings int       `json:"warnings"`
	Wrong    int       `json:"wrong"`
	Skipped  int       `json:"skipped"`
	Findings []finding `json:"findings"`
}

func newReport(findings []finding) *report {
	c := &report{Version: 1, At: time.Now().UTC(), Result: outcomeOK, Findings: findings}
	for _, f := range findings {
		switch f.Result {
		case outcomeOK:
			c.OK++
		case outcomeWarning:
			c.Warnings++
		case outcomeWrong:
			c.Wrong++
		case outcomeSkipped:
			c.Skipped++
		}
	}
	switch {
	case c.Wrong > 0:
		c.Result = outcomeWrong
	case c.Warnings > 0:
		c.Result = outcomeWarning
	case c.OK == 0:
		c.Result = outcomeSkipped
	}
	return c
}

// print writes the report and returns its exit code.
func (c *report) print(to term.Screen, format string) error {
	var err error
	switch format {
	case formatJSON:
		err = term.WriteJSON(to, c)
	case formatPrometheus:
		_, err = io.WriteString(to, c.prometheus())
	case formatNagios:
		if _, err = io.WriteString(to, c.nagios()); err == nil && c.Result != outcomeOK {
			err = problem.ExitCode(nagiosOf(c.Result))
		}
		return err
	default:
		err = c.text(to)
	}
	if err == nil && c.Wrong > 0 {
		err = problem.ExitCode(problem.Found)
	}
	return err
}

// mostShown is how many orgs are listed line by line; of more, only those with findings.
const mostShown = 20

// text writes a line for each finding, by group.
func (c *report) text(to term.Screen) error {
	var b strings.Builder
	shown, left := c.shown()
	width := 0
	for _, f := range shown {
		width = max(width, utf8.RuneCountInString(f.Check))
	}
	heading := ""
	for _, f := range shown {
		if now := f.heading(); now != heading {
			heading = now
			b.WriteString(heading + "\n")
		}
		b.WriteString(f.line(to, width) + "\n")
	}
	if left > 0 {
		fmt.Fprintf(&b, "%s more, all ok\n", term.Count(left, "org"))
	}
	fmt.Fprintf(&b, "\n%s\n", c.summary())
	_, err := io.WriteString(to, b.String())
	return err
}

// shown returns the findings to show, and the number of orgs without any.
func (c *report) shown() (shown []finding, left int) {
	orgs, ill := map[string]bool{}, map[string]bool{}
	for _, f := range c.Findings {
		if f.Instance != "" {
			orgs[f.Instance] = true
			if f.Result == outcomeWarning || f.Result == outcomeWrong {
				ill[f.Instance] = true
			}
		}
	}
	if len(orgs) <= mostShown {
		return c.Findings, 0
	}
	shown = slices.DeleteFunc(slices.Clone(c.Findings), func(f finding) bool { return f.Instance != "" && !ill[f.Instance] })
	return shown, len(orgs) - len(ill)
}

var headings = map[string]string{
	groupNATS: "NATS", groupStreams: "Streams and buckets", groupFleet: "Fleet", groupInstance: "Orgs", groupMachine: "This machine",
}

func (f finding) heading() string {
	if f.Instance != "" {
		return "Org " + f.Instance
	}
	return headings[f.Group]
}

func (f finding) line(to term.Screen, width int) string {
	result := to.Paint(outcomeColor[f.Result], fmt.Sprintf("%-7s", f.Result))
	return fmt.Sprintf("  %s  %-*s  %s", result, width, f.Check, term.Printable(f.Found+remedied(f)))
}

var outcomeColor = map[outcome]term.Color{
	outcomeOK: term.Green, outcomeWarning: term.Yellow, outcomeWrong: term.Red, outcomeSkipped: term.Dim,
}

func (c *report) summary() string {
	return fmt.Sprintf("%d ok, %s, %d wrong, %d skipped.", c.OK, term.Count(c.Warnings, "warning"), c.Wrong, c.Skipped)
}

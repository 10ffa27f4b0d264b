package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
)

// prometheus returns the report in the text exposition format, for a textfile collector.
// What was found is not in the labels, because it varies.
func (c *report) prometheus() string {
	var b strings.Builder
	head := func(name, help string) {
		fmt.Fprintf(&b, "# HELP %s_%s %s\n# TYPE %[1]s_%[2]s gauge\n", telemetry.Namespace, name, help)
	}
	head("doctor_check_result", "Result of a check of signal-client doctor: 0 ok, 1 warning, 2 wrong, 3 skipped.")
	for _, f := range c.Findings {
		fmt.Fprintf(&b, "%s_doctor_check_result{group=%s,check=%s,%s=%s} %d\n",
			telemetry.Namespace, labelValue(f.Group), labelValue(f.Check), telemetry.LabelIntegration, labelValue(f.Instance), nagiosOf(f.Result))
	}
	head("doctor_checks", "Checks of signal-client doctor, by result.")
	for n, result := range outcomes {
		fmt.Fprintf(&b, "%s_doctor_checks{result=%s} %d\n", telemetry.Namespace, labelValue(string(result)), []int{c.OK, c.Warnings, c.Wrong, c.Skipped}[n])
	}
	head("doctor_timestamp_seconds", "When signal-client doctor ran.")
	fmt.Fprintf(&b, "%s_doctor_timestamp_seconds %d\n", telemetry.Namespace, c.At.Unix())
	return b.String()
}

func labelValue(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}

// nagiosUnknown is the exit code of a plugin without a result.
const nagiosUnknown = 3

// nagiosOf returns an outcome as nagios counts: 0, 1, 2, 3.
func nagiosOf(o outcome) int { return slices.Index(outcomes, o) }

// nagios returns the report as a monitoring plugin's output: a status line with the worst
// findings and the counts, then a line for each finding that is not ok.
func (c *report) nagios() string {
	state := []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[nagiosOf(c.Result)]
	what := c.summary()
	var lines []string
	for _, worst := range []outcome{outcomeWrong, outcomeWarning} {
		for _, f := range c.Findings {
			if f.Result == worst {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", f.Result, f.name(), unpiped(f.Found+remedied(f))))
			}
		}
	}
	if len(lines) > 0 {
		what = term.Cut(lines[0], 160)
		if more := len(lines) - 1; more > 0 {
			what += fmt.Sprintf(" (and %d more)", more)
		}
	}
	status := fmt.Sprintf("SIGNAL-CLIENT %s - %s | ok=%d warnings=%d wrong=%d skipped=%d", state, what, c.OK, c.Warnings, c.Wrong, c.Skipped)
	return strings.Join(append([]string{status}, lines...), "\n") + "\n"
}

// name returns what a finding is about.
func (f finding) name() string {
	if f.Instance != "" {
		return f.Instance + " " + f.Check
	}
	return f.Group + " " + f.Check
}

func remedied(f finding) string {
	if f.Remedy == "" {
		return ""
	}
	return "; try: " + f.Remedy
}

// unpiped replaces bars, which separate the figures in a plugin's output.
func unpiped(text string) string { return strings.ReplaceAll(term.Printable(text), "|", "/") }

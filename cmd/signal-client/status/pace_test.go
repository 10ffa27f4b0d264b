package status

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/overview"
)

func TestPace(t *testing.T) {
	at := func(seconds int, holder string, events uint64, behind time.Duration, state pipeline.State) pipeline.Status {
		return pipeline.Status{
			UpdatedAt: today.Add(time.Duration(seconds) * time.Second), Holder: holder, Events: events, State: state,
			LastEvent: &pipeline.LastEvent{Published: today.Add(-behind).Format(time.RFC3339Nano)},
		}
	}
	var p overview.Pace
	for _, step := range []struct {
		status    pipeline.Status
		rate, eta float64 // -1: not known
	}{
		{at(0, "one", 1000, 10*time.Hour, pipeline.StateCatchingUp), -1, -1},
		{at(0, "one", 1000, 10*time.Hour, pipeline.StateCatchingUp), -1, -1},
		// an hour of the log within 15 s: 240 times as fast as it grows
		{at(15, "one", 2500, 9*time.Hour, pipeline.StateCatchingUp), 6000, 9 * 3600 / 239.0},
		{at(15, "one", 2500, 9*time.Hour, pipeline.StateCatchingUp), 6000, 9 * 3600 / 239.0},
		// slower than it grows: never
		{at(30, "one", 2560, 9*time.Hour, pipeline.StateCatchingUp), 240, -1},
		{at(45, "one", 2560, 0, pipeline.StatePolling), 0, -1},
		// another holder counts anew
		{at(60, "two", 10, 0, pipeline.StatePolling), -1, -1},
		{at(75, "two", 20, 0, pipeline.StatePolling), 40, -1},
		{at(90, "two", 5, 0, pipeline.StatePolling), -1, -1},
	} {
		p = p.Next(step.status, today)
		if got := orUnknown(p.PerMinute); got != step.rate {
			t.Errorf("%v: %v events a minute, want %v", step.status.UpdatedAt, got, step.rate)
		}
		if got := orUnknown(p.CatchUpSec); got != step.eta {
			t.Errorf("%v: caught up in %v s, want %v", step.status.UpdatedAt, got, step.eta)
		}
	}
}

func orUnknown(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

func TestFitting(t *testing.T) {
	const end = "\x1b[K\n"
	if got, want := fitting("a\nb\nc\nd\n", 4), "a"+end+"b"+end+"… 2 more lines"+end; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fitting("a\nb\n", 4), "a"+end+"b"+end; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fitting("a\nb\n", 0), "a"+end+"b"+end; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

var today = time.Date(2026, 11, 22, 9, 45, 0, 0, time.UTC)

// An org's last error and its remedy are shown in full below its row, in 80 columns;
// nothing is shown below an org that is well.
func TestStatusInEightyColumns(t *testing.T) {
	const refused = "the token's owner may not read the System Log: give that admin a role that can, such as Read-only Administrator (status 403 E0000006: You do not have permission to perform the requested action)"
	all := []pipeline.Status{
		{Instance: "acme", State: pipeline.StatePolling, Holder: "signal-client-7d9f8b6c5-x2x4q", CompleteThrough: today, Events: 1234567, RateLimit: &pipeline.RateLimit{Limit: 600, Remaining: 300}},
		{Instance: "globex", State: pipeline.StateRefused, Holder: "signal-client-7d9f8b6c5-x2x4q", LastError: refused},
		{Instance: "initech", State: pipeline.StateConfig, LastError: "settings.limit: must be at most 999"},
		{Instance: "umbrella", State: pipeline.StateUnowned},
	}
	for _, width := range []int{80, 120, 0} {
		var b bytes.Buffer
		if err := printStatuses(term.Screen{Writer: &b, Terminal: true, Color: true, Width: func() int { return width }}, all, nil, nil, today); err != nil {
			t.Fatal(err)
		}
		shown := b.String()
		below := shown[strings.Index(shown, "globex"):strings.Index(shown, "initech")]
		for _, word := range strings.Fields(refused + " try: signal-client integrations set globex --token-from <file>") {
			if !strings.Contains(below, word) {
				t.Errorf("at %d, %q is not below globex:\n%s", width, word, shown)
			}
		}
		for line := range strings.Lines(shown) {
			n := text.StringWidthWithoutEscSequences(strings.TrimSuffix(line, "\n"))
			if width > 0 && n > width || n != text.StringWidthWithoutEscSequences(shown[:strings.Index(shown, "\n")]) {
				t.Errorf("at %d a line has %d columns:\n%s", width, n, shown)
			}
		}
		for _, want := range []string{"signal-client integrations set initech", "signal-client run", "configuration"} {
			if !strings.Contains(shown, want) {
				t.Errorf("at %d, no %q in\n%s", width, want, shown)
			}
		}
		if got := shown[strings.Index(shown, "acme"):strings.Index(shown, "globex")]; strings.Contains(got, "try:") {
			t.Errorf("something is said of what is well:\n%s", got)
		}
	}
}

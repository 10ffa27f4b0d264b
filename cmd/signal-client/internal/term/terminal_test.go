package term

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/witfoo/signal-client/pipeline"
)

var now = time.Date(2026, 11, 22, 9, 45, 0, 0, time.UTC)

func instances() Grid {
	return Grid{Title: "Instances", Header: []string{"instance", "state", "complete through", "note"}, Now: now, Rows: [][]any{
		{"prod", pipeline.StatePolling, now.Add(-3 * time.Second), "a\tb\n\x1b[2J"},
		{"lab", pipeline.StateRefused, time.Time{}, 7},
	}}
}

func TestGridForPrograms(t *testing.T) {
	var b bytes.Buffer
	if err := instances().Print(Screen{Writer: &b}); err != nil {
		t.Fatal(err)
	}
	want := "instance\tstate\tcomplete through\tnote\n" +
		"prod\tpolling\t2026-11-22T09:44:57Z\ta\\tb\\n\\x1b[2J\n" +
		"lab\tcredential refused\t\t7\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestGridForPeople(t *testing.T) {
	var b bytes.Buffer
	if err := instances().Print(Screen{Writer: &b, Terminal: true, Color: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"╭", "Instances", "complete through", "3 s ago", "\x1b[32mpolling\x1b[0m", "\x1b[31mcredential refused\x1b[0m", `a\tb\n\x1b[2J`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := instances().Print(Screen{Writer: &b, Terminal: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Errorf("colour where none is wanted: %q", b.String())
	}
}

// A table is no wider than the terminal: long cells are wrapped, and cut only if that is
// not enough.
func TestGridFitsTerminal(t *testing.T) {
	const note = "the token's owner may not read the System Log: give that admin the right"
	for width, whole := range map[int]bool{0: true, 200: true, 80: true, 60: true, 30: false} {
		g := instances()
		g.Rows[0][3] = note
		var b bytes.Buffer
		if err := g.Print(Screen{Writer: &b, Terminal: true, Color: true, Width: func() int { return width }}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := text.StringWidthWithoutEscSequences(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
				t.Errorf("at %d a line has %d columns: %q", width, n, line)
			}
		}
		missing := slices.ContainsFunc(strings.Fields(note), func(word string) bool { return !strings.Contains(b.String(), word) })
		if missing == whole {
			t.Errorf("at %d, is something left out? %v\n%s", width, missing, b.String())
		}
	}
}

// A state that needs nobody's attention is not red.
func TestStateColors(t *testing.T) {
	for state, want := range map[pipeline.State]Color{
		StateEnabled: Green, pipeline.StatePolling: Green, pipeline.StateCatchingUp: cyan, pipeline.StateRetrying: Yellow,
		pipeline.StateDisabled: Dim, pipeline.StateUnowned: Red, pipeline.StateConfig: Red,
	} {
		if got := stateColor(state); got != want {
			t.Errorf("%s has the color %s, want %s", state, got, want)
		}
	}
}

func TestRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "now", -119 * time.Second: "119 s ago", -2 * time.Minute: "2 min ago", -3 * time.Hour: "3 h ago", -49 * time.Hour: "2 d ago", time.Minute: "in 60 s",
	} {
		if got := Relative(now.Add(d), now); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Microsecond: "0.4 ms", 519 * time.Millisecond: "519 ms", time.Second: "1 s", 2 * time.Hour: "2 h", 48 * time.Hour: "2 d",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestHuman(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Number(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

// Without a terminal, progress is a plain line from time to time.
func TestProgressLineInAPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := &ProgressLine{To: Screen{Writer: &b}, Every: 5 * time.Second}
		for i := range 12 {
			l.Show(fmt.Sprintf("line %d", i))
			time.Sleep(time.Second)
		}
		l.Done()
		if want := "line 5\nline 10\n"; b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	})
}

func TestProgressLineOnATerminal(t *testing.T) {
	var b bytes.Buffer
	l := &ProgressLine{To: Screen{Writer: &b, Terminal: true, Width: func() int { return 8 }}}
	log := l.Above(&b)
	fmt.Fprintln(log, "log 1")
	l.Show("one")
	fmt.Fprintln(log, "log 2")
	l.Show("too long to fit")
	l.Done()
	l.Done()
	l.Show("two")
	l.Clear()
	l.Clear()
	want := "log 1\n" + "\rone\x1b[K" + "\r\x1b[Klog 2\n\rone\x1b[K" + "\rtoo lo…\x1b[K" + "\n" + "\rtwo\x1b[K" + "\r\x1b[K"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func TestColorMode(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for mode, want := range map[ColorMode]bool{ColorAuto: false, colorAlways: true, colorNever: false} {
		if got := NewScreen(f, mode); got.Color != want || got.Terminal {
			t.Errorf("%s: got %+v", mode, got)
		}
	}
}

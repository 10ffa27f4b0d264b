package search

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/consoleclient"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/scan"
	index "github.com/witfoo/signal-client/sink/search"
	"github.com/witfoo/signal-client/sink/search/searchtest"
)

func TestMain(m *testing.M) {
	searchtest.Main()
	os.Exit(m.Run())
}

// start starts an index, and returns it with a command that asks it.
func start(t *testing.T, typed string, flags ...string) (*searchtest.Server, *searchCommand, *collected) {
	t.Helper()
	server, err := searchtest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	rows := new(collected)
	s := &searchCommand{CommandContext: cli.CommandContext{Program: &cli.Program{}}, cmd: &cobra.Command{}, typed: typed, now: time.Now(), to: rows}
	s.cmd.Flags().IntVar(&s.limit, "limit", 0, "")
	s.cmd.Flags().Var(&s.since, "since", "")
	s.cmd.Flags().Var(&s.until, "until", "")
	if err := s.cmd.ParseFlags(flags); err != nil {
		t.Fatal(err)
	}
	s.index, s.direct, s.console = &server.Index, true, &consoleclient.Client{URL: "http://127.0.0.1:1", HTTP: &http.Client{}}
	return server, s, rows
}

// collected is a printer that keeps what it is given.
type collected struct {
	mu   sync.Mutex
	seqs []uint64
}

func (c *collected) rows(_ context.Context, rows []row) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range rows {
		c.seqs = append(c.seqs, r.seq)
	}
	return nil
}

func (*collected) end() error { return nil }

func (c *collected) all() []uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seqs)
}

// event makes an event that happened at a time.
func event(seq int, at time.Time) *scan.Stored {
	return &scan.Stored{
		Kind: kinds.Default, Instance: "acme", Seq: uint64(seq), At: at,
		Data: fmt.Appendf(nil, `{"published":%q,"eventType":"user.session.start","displayMessage":"m","target":[{"alternateId":"a@x"},{"alternateId":"user%d@x"}]}`, at.UTC().Format("2006-01-02T15:04:05.000Z"), seq%10),
	}
}

// Events are printed newest first, each once: those that happened at one time, too, more
// of them than are read at once.
func TestNewestFirst(t *testing.T) {
	server, s, got := start(t, "*")
	base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	var events []*scan.Stored
	var want []uint64
	for seq := 1; seq <= 6000; seq++ {
		at := base.Add(time.Duration(seq/7) * time.Millisecond)
		if 2000 < seq && seq <= 4500 {
			at = base.Add(2000 / 7 * time.Millisecond)
		}
		events = append(events, event(seq, at))
		want = append(want, uint64(seq))
	}
	slices.Reverse(want)
	if err := server.Insert(t.Context(), kinds.Default, events); err != nil {
		t.Fatal(err)
	}
	if err := s.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.all(), want) {
		t.Errorf("%d rows, not the %d in order", len(got.all()), len(want))
	}

	for flags, want := range map[string][]uint64{
		"--limit=3":   {6000, 5999, 5998},
		"--limit=1":   {6000},
		"--limit=999": want[:999],
		fmt.Sprintf("--since=%s", base.Add(856*time.Millisecond).UTC().Format(time.RFC3339Nano)):           {6000, 5999, 5998, 5997, 5996, 5995, 5994, 5993, 5992},
		fmt.Sprintf("--until=%s --limit=2", base.Add(856*time.Millisecond).UTC().Format(time.RFC3339Nano)): {5991, 5990},
		fmt.Sprintf("--until=%s", base.Add(time.Millisecond).UTC().Format(time.RFC3339Nano)):               {6, 5, 4, 3, 2, 1},
	} {
		some, rows := *s, new(collected)
		some.to, some.cmd, some.limit = rows, &cobra.Command{}, 0
		some.since, some.until = cli.TimeFlag{}, cli.TimeFlag{}
		some.cmd.Flags().IntVar(&some.limit, "limit", 0, "")
		some.cmd.Flags().Var(&some.since, "since", "")
		some.cmd.Flags().Var(&some.until, "until", "")
		if err := some.cmd.ParseFlags(strings.Fields(flags)); err != nil {
			t.Fatal(err)
		}
		if err := some.list(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rows.all(), want) {
			t.Errorf("%s: %v, want %v", flags, rows.all()[:min(len(rows.all()), 12)], want[:min(len(want), 12)])
		}
	}
}

// A tail prints what is indexed after it began, each event once, however long ago it
// happened and in whichever order it becomes visible; and ends without an error.
func TestTail(t *testing.T) {
	server, s, got := start(t, "user3@x")
	insert := func(seqs ...int) {
		t.Helper()
		var events []*scan.Stored
		for _, seq := range seqs {
			events = append(events, event(seq, time.Now().Add(-time.Duration(seq)*time.Minute)))
		}
		if err := server.Insert(t.Context(), kinds.Default, events); err != nil {
			t.Fatal(err)
		}
	}
	insert(3, 13, 14)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.follow(ctx) }()
	last := 103
	for deadline := time.Now().Add(clitest.Patience); len(got.all()) == 0; last += 10 { // it has begun
		insert(last, last+1)
		if time.Now().After(deadline) {
			t.Fatal("no event")
		}
		time.Sleep(20 * time.Millisecond)
	}
	insert(last+20, last+21)
	insert(last, last+10, last+20) // in disorder, and one twice
	first, want := got.all()[0], []uint64{}
	for seq := first; seq <= uint64(last+20); seq += 10 {
		want = append(want, seq)
	}
	sorted := func() []uint64 { return slices.Sorted(slices.Values(got.all())) }
	for deadline := time.Now().Add(clitest.Patience); !slices.Equal(sorted(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v, want %v", sorted(), want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the end of a tail: %v", err)
	}
}

func TestCaret(t *testing.T) {
	long := strings.Repeat("abcdefghi ", 20)
	for _, test := range []struct {
		query string
		at    int
		want  string
	}{
		{"eventType:", 10, "  eventType:\n            ^\n"},
		{"a | bogus", 4, "  a | bogus\n      ^\n"},
		{"a\n| bogus x\n| c", 4, "  | bogus x\n    ^\n"},
		{"日本@x", 2, "  日本@x\n      ^\n"},
		{long, 100, "  …" + long[40:160] + "…\n  " + strings.Repeat(" ", 61) + "^\n"},
	} {
		if got := caret(&index.QueryError{Query: test.query, Offset: test.at}); got != test.want {
			t.Errorf("%q at %d:\n%s\nwant\n%s", test.query, test.at, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	p := &tablePrinter{to: term.Screen{Writer: &b, Terminal: true}}
	rows := []row{
		newRow([]byte(`{"_time":"2026-11-28T10:00:00.123Z","seq":"7","instance":"acme","eventType":"a.b","displayMessage":"<img src=x>\u001b[31m","actor.alternateId":"a@x","client.ipAddress":"[\"1.2.3.4\",\"::1\"]"}`)),
		newRow([]byte(`{"_time":"2026-11-28T09:00:00Z","seq":"6","instance":"acme","eventType":"` + strings.Repeat("x", 100) + `"}`)),
	}
	if err := p.rows(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"│ time ", "│ 2026-11-28 10:00:00 │ acme", "│ a@x ", "│ 1.2.3.4, ::1 ", "<img src=x>", strings.Repeat("x", 50)} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") || strings.Contains(b.String(), strings.Repeat("x", 70)) {
		t.Errorf("a table with foreign control characters, or without a measure:\n%s", b.String())
	}

	b.Reset()
	p = &tablePrinter{to: term.Screen{Writer: &b, Terminal: true}}
	if err := p.rows(t.Context(), []row{newRow([]byte(`{"eventType":"a.b","n":"12"}`))}); err != nil {
		t.Fatal(err)
	}
	if err := p.end(); err != nil || !strings.Contains(b.String(), "│ eventType │ n  │") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

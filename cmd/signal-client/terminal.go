package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"
)

// colorMode says when output is coloured.
type colorMode string

const (
	colorAuto   colorMode = "auto"   // on a terminal that is not told otherwise
	colorAlways colorMode = "always" // whatever it is
	colorNever  colorMode = "never"
)

// Set reads the flag's value.
func (m *colorMode) Set(value string) error {
	switch colorMode(value) {
	case colorAuto, colorAlways, colorNever:
		*m = colorMode(value)
		return nil
	}
	return errors.New("it is auto, always or never")
}

// String is the flag's value.
func (m *colorMode) String() string { return string(*m) }

// Type names the flag's value in help texts.
func (m *colorMode) Type() string { return "when" }

// color is an ANSI colour.
type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	cyan   color = "36"
	dim    color = "2"
)

// screen is one of the two output streams, and what may be shown there. The
// zero value of all but Writer is a pipe.
type screen struct {
	io.Writer
	Terminal bool       // someone is looking: relative times, tables, redrawn lines
	Color    bool       // colours are welcome
	Width    func() int // of the terminal, in columns; nil or 0: not known
}

// newScreen looks at what the file is. NO_COLOR and TERM=dumb are heard.
func newScreen(f *os.File, mode colorMode) screen {
	fd := int(f.Fd())
	s := screen{Writer: f, Terminal: term.IsTerminal(fd)}
	s.Color = mode == colorAlways ||
		mode == colorAuto && s.Terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	s.Width = func() int {
		width, _, err := term.GetSize(fd)
		if err != nil {
			return 0
		}
		return width
	}
	return s
}

// isTerminal reports whether a person sits at the file.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// terminalHeight is how many lines standard output shows; 0: not known.
func terminalHeight() int {
	_, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return height
}

// askHidden asks on the terminal that in is, and shows nothing of what is typed or
// pasted. Told to end meanwhile, it leaves behind a terminal that echoes again.
func askHidden(ctx context.Context, in *os.File, to screen, question string) ([]byte, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	defer func() { _ = term.Restore(fd, before) }()
	defer fmt.Fprintln(to)
	fmt.Fprint(to, question)
	type result struct {
		typed []byte
		err   error
	}
	answer := make(chan result, 1)
	go func() {
		typed, err := term.ReadPassword(fd)
		answer <- result{typed, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answer:
		return a.typed, a.err
	}
}

// Paint colours the text where colours are welcome.
func (s screen) Paint(c color, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// printable makes text fit for one line of a terminal or a log. Much of what is
// shown comes from elsewhere (an org's answer, a header), and must neither
// break a line nor steer a terminal.
func printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, steers) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if !steers(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// steers reports whether a rune is anything but a visible one or a space.
func steers(r rune) bool { return !unicode.IsPrint(r) }

// masked takes out of a text what stands between "//" and the last "@": there may be a
// user and a password, however they are written.
func masked(text string) string {
	last := strings.LastIndexByte(text, '@')
	if first := strings.Index(text, "//"); first >= 0 && first < last {
		return text[:first+2] + "…" + text[last:]
	}
	return text
}

// human shows a count in a form that can be read at a glance: 1,234,567.
func human(n uint64) string { return humanize.Comma(int64(n)) }

// count says how many there are of what.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return human(uint64(n)) + " " + what + "s"
}

// cut is the beginning of a text that is too long for a table; --json has all.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// writeJSON writes one document, as every --json does.
func writeJSON(to screen, v any) error {
	enc := json.NewEncoder(to)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

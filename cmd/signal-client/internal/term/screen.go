package term

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

// ColorMode is when output is coloured.
type ColorMode string

const (
	ColorAuto   ColorMode = "auto"   // on a terminal, unless disabled
	colorAlways ColorMode = "always" // always
	colorNever  ColorMode = "never"
)

// Set parses the flag's value.
func (m *ColorMode) Set(value string) error {
	switch ColorMode(value) {
	case ColorAuto, colorAlways, colorNever:
		*m = ColorMode(value)
		return nil
	}
	return errors.New("it must be auto, always or never")
}

// String returns the flag's value.
func (m *ColorMode) String() string { return string(*m) }

// Type returns the type shown in help.
func (m *ColorMode) Type() string { return "when" }

// Color is an ANSI colour.
type Color string

// Colors.
const (
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
	cyan   Color = "36"
	Dim    Color = "2"
)

// Screen is an output stream, with what may be shown there; by default it is a pipe.
type Screen struct {
	io.Writer
	Terminal bool       // a person reads it: relative times, tables, redrawn lines
	Color    bool       // colours may be used
	Width    func() int // of the terminal, in columns; nil or 0: not known
}

// NewScreen determines what the file is. It respects NO_COLOR and TERM=dumb.
func NewScreen(f *os.File, mode ColorMode) Screen {
	fd := int(f.Fd())
	s := Screen{Writer: f, Terminal: term.IsTerminal(fd)}
	s.Color = mode == colorAlways ||
		mode == ColorAuto && s.Terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	s.Width = func() int {
		width, _, err := term.GetSize(fd)
		if err != nil {
			return 0
		}
		return width
	}
	return s
}

// IsTerminal reports whether the file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// TerminalHeight returns the number of lines of standard output's terminal; 0: not known.
func TerminalHeight() int {
	_, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return height
}

// AskHidden asks on a terminal without an echo, which it restores even if interrupted.
func AskHidden(ctx context.Context, in *os.File, to Screen, question string) ([]byte, error) {
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

// Paint colours the text if colours may be used.
func (s Screen) Paint(c Color, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Printable makes text fit for one line of a terminal or a log: much of what is shown is
// foreign, and must neither break a line nor control a terminal.
func Printable(text string) string {
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

// steers reports whether a rune is neither visible nor a space.
func steers(r rune) bool { return !unicode.IsPrint(r) }

// Masked removes user and password, in any form: what is between "//" and the last "@".
func Masked(text string) string {
	last := strings.LastIndexByte(text, '@')
	if first := strings.Index(text, "//"); first >= 0 && first < last {
		return text[:first+2] + "…" + text[last:]
	}
	return text
}

// Number formats a count for reading: 1,234,567.
func Number(n uint64) string { return humanize.Comma(int64(n)) }

// Count returns a number with its noun.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Number(uint64(n)) + " " + what + "s"
}

// Cut shortens a text that is too long for a table; --json has all of it.
func Cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// WriteJSON writes one document, as every --json does.
func WriteJSON(to Screen, v any) error {
	enc := json.NewEncoder(to)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// WithoutUser removes user and password from what may be a URL, in any form.
func WithoutUser(at string) string {
	user := strings.LastIndexByte(at, '@') + 1
	scheme, _, found := strings.Cut(at[:user], "//")
	if found {
		return scheme + "//" + at[user:]
	}
	return at[user:]
}

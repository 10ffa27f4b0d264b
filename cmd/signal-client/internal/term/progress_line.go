package term

import (
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

// ProgressLine shows how far something is: one line drawn again and again on a
// terminal, a plain line every now and then elsewhere. It is safe for
// concurrent use.
type ProgressLine struct {
	To    Screen
	Every time.Duration // elsewhere than on a terminal: the least time before and between plain lines; 0: each Show writes one

	mu    sync.Mutex
	text  string    // on the terminal now
	plain time.Time // when the last plain line was written
}

// Show replaces the line. Elsewhere than on a terminal most calls show nothing,
// so the text must stand for itself.
func (l *ProgressLine) Show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.To.Terminal {
		l.text = l.fit(Printable(text))
		l.draw()
		return
	}
	now := time.Now()
	if l.plain.IsZero() {
		l.plain = now
	}
	if now.Sub(l.plain) >= l.Every {
		l.plain = now
		fmt.Fprintln(l.To, Printable(text))
	}
}

// Done leaves the line as it stands and goes on below it.
func (l *ProgressLine) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		fmt.Fprintln(l.To)
	}
	l.text = ""
}

// Clear takes the line away: what follows says it all.
func (l *ProgressLine) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		fmt.Fprint(l.To, "\r\x1b[K")
	}
	l.text = ""
}

// Above returns a writer for the same terminal whose lines appear above the
// progress line, as a log's do. Each Write must hold whole lines.
func (l *ProgressLine) Above(w io.Writer) io.Writer { return above{l, w} }

type above struct {
	line *ProgressLine
	w    io.Writer
}

func (a above) Write(p []byte) (int, error) {
	a.line.mu.Lock()
	defer a.line.mu.Unlock()
	if a.line.text == "" {
		return a.w.Write(p)
	}
	fmt.Fprint(a.line.To, "\r\x1b[K")
	n, err := a.w.Write(p)
	a.line.draw()
	return n, err
}

// draw writes the line over the one before. The cursor stays at its end.
func (l *ProgressLine) draw() {
	if l.text != "" {
		fmt.Fprint(l.To, "\r"+l.text+"\x1b[K")
	}
}

// fit cuts the text to the terminal: a line that wraps can't be drawn over.
func (l *ProgressLine) fit(text string) string {
	if l.To.Width == nil {
		return text
	}
	width := l.To.Width()
	if width <= 1 || utf8.RuneCountInString(text) < width {
		return text
	}
	return string([]rune(text)[:width-2]) + "…"
}

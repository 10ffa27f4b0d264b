package term

import (
	"cmp"
	"fmt"
	"io"
	"sync"
	"time"
)

// ProgressLine shows progress: one line that is redrawn on a terminal, a plain line now
// and then elsewhere. It is safe for concurrent use.
type ProgressLine struct {
	To    Screen
	Every time.Duration // not on a terminal: the least time before and between plain lines; 0: each Show writes one

	mu    sync.Mutex
	text  string    // on the terminal now
	plain time.Time // when the last plain line was written
}

// Show replaces the line. Into a pipe few are written, so each text must be complete.
func (l *ProgressLine) Show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.To.Terminal {
		l.text = l.fit(Printable(text))
		l.draw()
		return
	}
	now := time.Now()
	l.plain = cmp.Or(l.plain, now)
	if now.Sub(l.plain) >= l.Every {
		l.plain = now
		fmt.Fprintln(l.To, Printable(text))
	}
}

// Done leaves the line and continues below it.
func (l *ProgressLine) Done() { l.end("\n") }

// Clear removes the line: the following output says everything.
func (l *ProgressLine) Clear() { l.end("\r\x1b[K") }

func (l *ProgressLine) end(with string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text != "" {
		fmt.Fprint(l.To, with)
	}
	l.text = ""
}

// Above returns a writer for the same terminal whose lines appear above the progress
// line, such as a log's. Each Write must contain whole lines.
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

// draw writes the line over the previous one. The cursor stays at its end.
func (l *ProgressLine) draw() {
	if l.text != "" {
		fmt.Fprint(l.To, "\r"+l.text+"\x1b[K")
	}
}

// fit cuts the text to the terminal's width: a wrapped line can't be overwritten.
func (l *ProgressLine) fit(text string) string {
	if l.To.Width == nil {
		return text
	}
	if width := l.To.Width(); width > 1 {
		return Cut(text, width-1)
	}
	return text
}

package replay

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/witfoo/signal-client/sink/scan"
)

// lines writes events to a file or pipe, one event's bytes per line.
type lines struct {
	w    io.Writer
	done func(*scan.Stored) // called for each event that is written
	buf  []byte
	ends []lineEnd // of lines that are partly in buf
	cut  bool      // the first of them is partly written
}

type lineEnd struct {
	e  *scan.Stored
	at int
}

const linesBuffer = 1 << 17

// Publish writes an event. A line break can only be between two tokens, like a space.
func (l *lines) Publish(ctx context.Context, e *scan.Stored) error {
	data := e.Data
	if bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\n"), []byte(" ")), []byte("\r"), []byte(" "))
	}
	l.buf = append(append(l.buf, data...), '\n')
	l.ends = append(l.ends, lineEnd{e, len(l.buf)})
	if len(l.buf) < linesBuffer {
		return nil
	}
	return l.Flush(ctx)
}

// Flush implements replayOut.
func (l *lines) Flush(context.Context) error {
	if len(l.buf) == 0 {
		return nil
	}
	n, err := l.w.Write(l.buf)
	whole := 0
	for ; whole < len(l.ends) && l.ends[whole].at <= n; whole++ {
		l.done(l.ends[whole].e)
	}
	if n > 0 {
		l.cut = whole == 0 || l.ends[whole-1].at < n
	}
	l.buf = slices.Delete(l.buf, 0, n)
	l.ends = slices.Delete(l.ends, 0, whole)
	for i := range l.ends {
		l.ends[i].at -= n
	}
	return err
}

// Waiting implements replayOut.
func (l *lines) Waiting() uint64 {
	if len(l.ends) == 0 {
		return 0
	}
	return l.ends[0].e.Seq
}

// nowhere drops events that are only counted.
type nowhere struct{ done func(*scan.Stored) }

// Publish implements replayOut.
func (n nowhere) Publish(_ context.Context, e *scan.Stored) error {
	n.done(e)
	return nil
}

// Flush implements replayOut.
func (nowhere) Flush(context.Context) error { return nil }

// Waiting implements replayOut.
func (nowhere) Waiting() uint64 { return 0 }

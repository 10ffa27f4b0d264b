package main

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"github.com/witfoo/signal-client/sink/jets"
)

// lines writes events to a file or a pipe, each with its own bytes on one line.
type lines struct {
	w       *bufio.Writer
	waiting uint64 // sequence of the first event in the buffer; 0: none
	err     error
}

func newLines(w io.Writer) *lines { return &lines{w: bufio.NewWriterSize(w, 1<<17)} }

// Publish implements replayOut. A line break can only stand between two tokens
// of an event, where a space says the same.
func (l *lines) Publish(_ context.Context, e *jets.Stored) error {
	data := e.Data
	if bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 {
		data = bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\n"), []byte(" ")), []byte("\r"), []byte(" "))
	}
	if l.w.Available() <= len(data) { // so that what is written ends with a line
		if err := l.Flush(context.Background()); err != nil {
			return err
		}
	}
	if l.waiting == 0 {
		l.waiting = e.Seq
	}
	_, _ = l.w.Write(data)
	l.err = l.w.WriteByte('\n') // a writer's first error is the error of all that follows
	return l.err
}

// Flush implements replayOut.
func (l *lines) Flush(context.Context) error {
	if l.err = l.w.Flush(); l.err == nil {
		l.waiting = 0
	}
	return l.err
}

// Waiting implements replayOut.
func (l *lines) Waiting() uint64 { return l.waiting }

// nowhere takes events that are only counted.
type nowhere struct{}

// Publish implements replayOut.
func (nowhere) Publish(context.Context, *jets.Stored) error { return nil }

// Flush implements replayOut.
func (nowhere) Flush(context.Context) error { return nil }

// Waiting implements replayOut.
func (nowhere) Waiting() uint64 { return 0 }

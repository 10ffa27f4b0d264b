package oktatest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

var pageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// render joins the page's elements into an array.
func (o *Org) render(buffer *bytes.Buffer, p page) []byte {
	size := 2
	for _, e := range p.elements {
		size += o.sizeOf(e) + 1
	}
	buffer.Reset()
	buffer.Grow(size)
	body := append(buffer.AvailableBuffer(), '[')
	for i, e := range p.elements {
		if i > 0 {
			body = append(body, ',')
		}
		switch {
		case e.raw != nil:
			body = append(body, e.raw...)
		case e.rec != nil:
			body = append(body, e.rec.Data...)
		default:
			body = o.log.base.append(body, e.base)
		}
	}
	return append(body, ']')
}

func (o *Org) sizeOf(e element) int {
	switch {
	case e.raw != nil:
		return len(e.raw)
	case e.rec != nil:
		return len(e.rec.Data)
	}
	return o.log.base.size(e.base)
}

// send writes the answer, with the fault's effects on body and connection.
func (o *Org) send(w http.ResponseWriter, r *http.Request, a answer, fault Fault) {
	h := w.Header()
	maps.Copy(h, a.header)
	if fault.Bomb > 0 {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(a.status)
		bomb(r.Context(), w, fault.Bomb)
		return
	}
	body := a.body
	if a.packed != nil || len(body) > 0 && o.compresses(r) {
		h.Set("Content-Encoding", "gzip")
		h.Set("Vary", "Accept-Encoding")
		body = a.packed
	}
	if body == nil && len(a.body) > 0 {
		buffer := pageBuffers.Get().(*bytes.Buffer)
		defer pageBuffers.Put(buffer)
		buffer.Reset()
		squeeze(buffer, a.body)
		body = buffer.Bytes()
	}
	if fault.Length != 0 {
		h.Set("Content-Length", strconv.Itoa(len(body)+fault.Length))
	}
	w.WriteHeader(a.status)
	body = body[:int(float64(len(body))*(1-max(fault.Truncate, fault.Cut)))]
	if !drip(r.Context(), w, body, fault.Slow) || fault.Cut > 0 {
		panic(http.ErrAbortHandler)
	}
}

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return w
}}

func squeeze(to io.Writer, body []byte) {
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(to)
	_, _ = w.Write(body)
	_ = w.Close()
}

// compresses reports whether the answer to a request is compressed.
func (o *Org) compresses(r *http.Request) bool {
	return !o.config.Identity && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// drip writes the body in ten parts over a time; not ok: the client is gone.
func drip(ctx context.Context, w http.ResponseWriter, body []byte, over time.Duration) bool {
	if over <= 0 {
		_, err := w.Write(body)
		return err == nil
	}
	const parts = 10
	for i := range parts {
		if _, err := w.Write(body[len(body)*i/parts : len(body)*(i+1)/parts]); err != nil {
			return false
		}
		_ = http.NewResponseController(w).Flush()
		if !sleep(ctx, over/parts) {
			return false
		}
	}
	return true
}

// bomb writes n spaces, compressed, into an array that is never closed.
func bomb(ctx context.Context, w io.Writer, n int64) {
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	_, _ = z.Write([]byte{'['})
	spaces := bytes.Repeat([]byte{' '}, 1<<20)
	for ; n > 0 && ctx.Err() == nil; n -= int64(len(spaces)) {
		if _, err := z.Write(spaces[:min(n, int64(len(spaces)))]); err != nil {
			return
		}
	}
	_ = z.Close()
}

// sleep waits for d; not ok: the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Package page reads answers of orgs of any kind: [Read] inflates a body within bounds of
// size and memory, and [Links] parses a Link header. It does not interpret them: that is
// the source's, with package jsonscan for JSON.
package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// DefaultMost is the default limit of a body's size, in bytes.
const DefaultMost = 64 << 20

// ErrTooLarge: the body is larger than it may be. Requesting fewer elements helps.
var ErrTooLarge = errors.New("body too large")

// inflaters are reused between pages: each holds 40 KB of tables.
var inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}

// Read reads and inflates a body, up to r.Most bytes; beyond that it returns
// ErrTooLarge. before is the size of the previous body: the pages of a drain are much
// alike, so a buffer of that size usually fits. No byte is read before memory for it is
// reserved. The caller owns the bytes.
func Read(ctx context.Context, resp *http.Response, before int, r *Reservation) ([]byte, error) {
	guess := min(before+before/8, maxGuess) + 4<<10
	if err := r.reserve(ctx, guess); err != nil {
		return nil, err
	}
	body, done, err := inflate(resp, r.Most)
	if err != nil {
		return nil, err
	}
	defer done()
	into, err := fill(ctx, make([]byte, 0, guess), body, r)
	if err == nil && cap(into) > 2*len(into) {
		return bytes.Clone(into), nil // the page is kept for a while: free the unused part
	}
	return into, err
}

// maxGuess is the largest buffer that is allocated before a byte is read.
const maxGuess = 8 << 20

// inflate returns the reader of an inflated body, and a function that frees its resources. It
// reads little more than most: a stream of empty gzip blocks would never end.
func inflate(resp *http.Response, most int64) (io.Reader, func(), error) {
	encoding := strings.Join(resp.Header.Values("Content-Encoding"), ", ")
	switch strings.ToLower(encoding) {
	case "", "identity":
		return resp.Body, func() {}, nil
	case "gzip", "x-gzip":
		z, _ := inflaters.Get().(*gzip.Reader)
		done := func() { inflaters.Put(z) }
		if err := z.Reset(&wire{resp.Body, most + 64<<10}); err != nil {
			done()
			return nil, nil, fmt.Errorf("inflate body: %w", unexpected(err))
		}
		return z, done, nil
	}
	return nil, nil, fmt.Errorf("body has content encoding %.40q, which was not asked for", encoding)
}

// fill reads a body to its end, into a buffer that grows as memory is reserved.
func fill(ctx context.Context, into []byte, body io.Reader, r *Reservation) ([]byte, error) {
	for {
		n, err := body.Read(into[len(into):cap(into)])
		into = into[:len(into)+n]
		switch {
		case int64(len(into)) > r.Most:
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, r.Most)
		case errors.Is(err, io.EOF):
			return into, nil
		case err != nil:
			return nil, fmt.Errorf("read body: %w", err)
		}
		if len(into) < cap(into) {
			continue
		}
		// One byte beyond the limit shows that the body is too large.
		size := int(min(2*int64(cap(into)), r.Most+1))
		if err := r.reserve(ctx, size); err != nil {
			return nil, err
		}
		into = append(make([]byte, 0, size), into...)
	}
}

// unexpected turns an EOF within the gzip header into one that is no regular end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// wire reads at most left bytes and then fails; io.LimitReader would report EOF.
type wire struct {
	io.Reader
	left int64
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, ErrTooLarge
	}
	n, err := w.Reader.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

package okta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// errTooLarge: the body is larger than MaxBody. Asking for fewer elements helps.
var errTooLarge = errors.New("body too large")

// The buffers that bodies are read and inflated through, kept between pages,
// since a fresh one for each would be most of the garbage of a drain.
var (
	scratches = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// maxScratch is the largest buffer that is kept for the next page.
const maxScratch = 16 << 20

// readBody reads a body to its end and inflates it, at most limit bytes of it:
// errTooLarge beyond that. The bytes are the caller's.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	scratch, _ := scratches.Get().(*bytes.Buffer)
	defer func() {
		if scratch.Cap() <= maxScratch {
			scratch.Reset()
			scratches.Put(scratch)
		}
	}()
	if err := inflate(scratch, resp, limit); err != nil {
		return nil, err
	}
	if int64(scratch.Len()) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	body := make([]byte, scratch.Len())
	copy(body, scratch.Bytes())
	return body, nil
}

// inflate reads one byte more than the limit at most, and no more than about
// that from the wire: empty gzip blocks go on for ever without giving a byte.
func inflate(into *bytes.Buffer, resp *http.Response, limit int64) error {
	var body io.Reader = resp.Body
	switch encoding := strings.ToLower(resp.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, _ := inflaters.Get().(*gzip.Reader)
		defer inflaters.Put(z)
		if err := z.Reset(&wire{body, limit + 64<<10}); err != nil {
			return fmt.Errorf("inflate body: %w", unexpected(err))
		}
		body = z
	default:
		return fmt.Errorf("body has content encoding %.40q, which was not asked for", encoding)
	}
	if _, err := into.ReadFrom(io.LimitReader(body, limit+1)); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

// unexpected makes the end of a gzip body before its header an error that
// nobody takes for a proper end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// wire reads at most left bytes, and then fails, where io.LimitReader would end.
type wire struct {
	io.Reader
	left int64
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errTooLarge
	}
	n, err := w.Reader.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

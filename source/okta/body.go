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

// inflaters are kept between pages: one is 40 KB of tables.
var inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}

// readBody reads a body to its end and inflates it, at most limit bytes of it:
// errTooLarge beyond that. guess is the size of the body before; pages of a drain are
// much alike, and so are read into a buffer of the right size at once. The bytes are
// the caller's.
func readBody(resp *http.Response, limit int64, guess int) ([]byte, error) {
	into := bytes.NewBuffer(make([]byte, 0, min(guess+guess/8, maxGuess)+4<<10))
	if err := inflate(into, resp, limit); err != nil {
		return nil, err
	}
	if int64(into.Len()) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	if into.Cap() > 2*into.Len() {
		return bytes.Clone(into.Bytes()), nil // a page lives for a while: don't keep the rest
	}
	return into.Bytes(), nil
}

// maxGuess is the largest buffer that is made before a byte is read.
const maxGuess = 8 << 20

// inflate reads one byte more than the limit at most, and no more than about
// that from the wire: empty gzip blocks go on for ever without giving a byte.
func inflate(into *bytes.Buffer, resp *http.Response, limit int64) error {
	var body io.Reader = resp.Body
	encoding := resp.Header.Get("Content-Encoding")
	switch strings.ToLower(encoding) {
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
	if errors.Is(err, io.EOF) {
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

package run

import (
	"io"
	"net/http"
	"time"
)

const (
	// bodyTime is how long the body of a request may take.
	bodyTime = 30 * time.Second
	// pieceTime is how long a client may take for a piece of an answer. The whole answer may
	// take as long as it likes: some follow events for hours.
	pieceTime = 30 * time.Second
	pieceSize = 64 << 10
	// mostBody is the largest body of a request; handlers may accept less.
	mostBody = 8 << 20
)

// inTime ends clients that send or receive too slowly.
func inTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timed := &timedWriter{ResponseWriter: w, conn: http.NewResponseController(w)}
		timed.deadline(0)
		defer timed.deadline(pieceTime) // the rest is sent after the handler's end
		if r.Body != nil && r.Body != http.NoBody {
			_ = timed.conn.SetReadDeadline(time.Now().Add(bodyTime)) // every connection has one
			r.Body = &timedBody{http.MaxBytesReader(w, r.Body, mostBody), timed.conn}
		}
		next.ServeHTTP(timed, r)
	})
}

// timedBody takes its deadline away at its end: the connection is read on after it, to
// notice a client that leaves.
type timedBody struct {
	io.ReadCloser
	conn *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timedWriter gives each piece a deadline.
type timedWriter struct {
	http.ResponseWriter
	conn *http.ResponseController
}

// Unwrap is for http.ResponseController.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// deadline is d from now; 0: none.
func (w *timedWriter) deadline(d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = w.conn.SetWriteDeadline(at) // a recorder of tests has none
}

// Write sends p in pieces.
func (w *timedWriter) Write(p []byte) (int, error) {
	defer w.deadline(0)
	sent := 0
	for {
		w.deadline(pieceTime)
		n, err := w.ResponseWriter.Write(p[sent:min(len(p), sent+pieceSize)])
		sent += n
		if err != nil || sent >= len(p) {
			return sent, err
		}
	}
}

// Flush is FlushError.
func (w *timedWriter) Flush() { _ = w.FlushError() }

// FlushError sends what was written.
func (w *timedWriter) FlushError() error {
	w.deadline(pieceTime)
	defer w.deadline(0)
	return w.conn.Flush()
}

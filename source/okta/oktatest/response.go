package oktatest

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/klauspost/compress/gzip"
)

// responseWriter is the server's side of an in-process response.
type responseWriter struct {
	header   http.Header
	pipe     *io.PipeWriter
	request  *http.Request
	started  chan struct{} // closed when response or err is set
	response *http.Response
	err      error
	left     int64 // of the Content-Length; negative: not announced
}

func (w *responseWriter) Header() http.Header { return w.header }
func (w *responseWriter) Flush()              { w.WriteHeader(http.StatusOK) }

func (w *responseWriter) WriteHeader(status int) {
	if w.response != nil {
		return
	}
	w.response = &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), ContentLength: -1, Request: w.request,
	}
	for name, values := range w.header {
		for _, value := range values {
			w.response.Header.Add(name, value)
		}
	}
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
		w.left, w.response.ContentLength = n, n
	}
	close(w.started)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.left >= 0 {
		if int64(len(p)) > w.left {
			return 0, http.ErrContentLength
		}
		w.left -= int64(len(p))
	}
	if len(p) == 0 {
		return 0, nil
	}
	return w.pipe.Write(p)
}

// finish ends the answer: regularly, or as a broken connection.
func (w *responseWriter) finish(err error) {
	cause := context.Cause(w.request.Context()) // if the client left first, it sees its own cause
	if err != nil && w.response == nil {
		w.err = cmp.Or(cause, err)
		close(w.started)
		return
	}
	w.WriteHeader(http.StatusOK)
	if err != nil || w.left > 0 {
		err = cmp.Or(cause, io.ErrUnexpectedEOF)
	}
	w.pipe.CloseWithError(err)
}

// responseBody ends its request when it is closed or completely read.
type responseBody struct {
	io.Reader
	end func()
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *responseBody) Close() error {
	b.end()
	return nil
}

// inflated removes a compression that the client did not request.
func inflated(r *http.Response) {
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	r.ContentLength, r.Uncompressed = -1, true
	r.Body = &inflatedBody{body: r.Body}
}

type inflatedBody struct {
	body io.ReadCloser
	gzip *gzip.Reader // created at the first read
	err  error
}

func (b *inflatedBody) Read(p []byte) (int, error) {
	if b.gzip == nil && b.err == nil {
		b.gzip, b.err = gzip.NewReader(b.body)
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.gzip.Read(p)
}

func (b *inflatedBody) Close() error { return b.body.Close() }

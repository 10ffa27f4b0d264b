package oktatest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Transport answers requests in process, without sockets, whatever host
// they name: an http.Client over it can't tell the difference. It may be used in a
// testing/synctest bubble: whatever waits, waits for channels and timers made
// there. Every request's goroutine has ended when its body is closed, or
// read to its end.
func (o *Org) Transport() http.RoundTripper { return HandlerTransport(o) }

// HandlerTransport is an Org's Transport for any handler, such as one that
// picks an Org by the request's host.
func HandlerTransport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

// errReset is what a client sees of a connection that ended before its time.
var errReset = errors.New("connection reset by peer")

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	sent := serverRequest(ctx, req)
	inflate := req.Header.Get("Accept-Encoding") == "" && req.Header.Get("Range") == "" && req.Method != http.MethodHead
	if inflate {
		sent.Header.Set("Accept-Encoding", "gzip") // as http.Transport does
	}
	body, pipe := io.Pipe()
	w := &responseWriter{header: make(http.Header), pipe: pipe, request: req, started: make(chan struct{}), left: -1}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.finish(serve(t.handler, w, sent))
	}()
	stop := context.AfterFunc(req.Context(), func() { pipe.CloseWithError(context.Cause(req.Context())) })
	end := func() {
		stop()
		cancel()
		body.Close()
		<-done
	}
	select {
	case <-w.started:
	case <-ctx.Done():
		end()
		return nil, context.Cause(req.Context())
	}
	if w.response == nil {
		end()
		return nil, w.err
	}
	w.response.Body = &responseBody{Reader: body, end: sync.OnceFunc(end)}
	if inflate && w.response.Header.Get("Content-Encoding") == "gzip" {
		inflated(w.response)
	}
	return w.response, nil
}

// serverRequest is the request as a server would see it.
func serverRequest(ctx context.Context, req *http.Request) *http.Request {
	r := req.Clone(ctx)
	r.RequestURI = req.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:49152"
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if req.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13}
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// serve runs the handler; an aborted one is a connection that ended.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = errReset
		default:
			panic(v)
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// responseWriter is the server's end.
type responseWriter struct {
	header   http.Header
	pipe     *io.PipeWriter
	request  *http.Request
	started  chan struct{} // closed when response or err is set
	response *http.Response
	err      error
	left     int64 // of the Content-Length; negative: none was announced
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

// finish ends the answer: well, or as a connection that broke.
func (w *responseWriter) finish(err error) {
	if err != nil && w.response == nil {
		w.err = err
		close(w.started)
		return
	}
	w.WriteHeader(http.StatusOK)
	if err != nil || w.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	w.pipe.CloseWithError(err)
}

// responseBody ends its request when it is closed or read to its end.
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

// inflated takes the compression off a response that the client did not ask for.
func inflated(r *http.Response) {
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	r.ContentLength, r.Uncompressed = -1, true
	r.Body = &inflatedBody{body: r.Body}
}

type inflatedBody struct {
	body io.ReadCloser
	gzip *gzip.Reader // made at the first read
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

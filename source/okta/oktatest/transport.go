package oktatest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"sync"
)

// Transport serves requests in-process, without sockets, whatever host they name: an
// http.Client can't tell the difference. It may be used in a testing/synctest bubble: it
// waits only for channels and timers made there. A request's goroutine has ended when its
// body is closed or completely read.
func (o *Org) Transport() http.RoundTripper { return HandlerTransport(o) }

// HandlerTransport is an Org's Transport for any handler, such as one that chooses an Org
// by the request's host.
func HandlerTransport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

// errReset is a client's error when a connection breaks.
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

// serverRequest returns the request as a server sees it.
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

// serve runs the handler; an aborted handler is a broken connection.
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

package main

import (
	"io"
	"net/http"
	"sync"

	"github.com/witfoo/signal-client/source/okta"
)

// mostRequests bounds the requests in flight, of all instances together.
const mostRequests = 256

// limiters are one per origin, since the instances of an org share its budget;
// with those of other processes they exchange what they know. Its zero value is
// ready; it is safe for concurrent use.
type limiters struct {
	exchange okta.Exchange // nil: none
	replica  string        // this process among those that exchange

	mu   sync.Mutex
	each map[string]*okta.Limiter // by origin
}

// Of is the origin's.
func (l *limiters) Of(origin string) *okta.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each == nil {
		l.each = map[string]*okta.Limiter{}
	}
	if l.each[origin] == nil {
		l.each[origin] = &okta.Limiter{Exchange: l.exchange, Origin: origin, Replica: l.replica}
	}
	return l.each[origin]
}

// bounded lets so many requests be in flight, each until its answer's body is
// closed.
type bounded struct {
	http.RoundTripper
	slots chan struct{}
}

// newOktaHTTP is the client that all instances share.
func newOktaHTTP() *http.Client {
	client := okta.NewHTTPClient()
	client.Transport = &bounded{client.Transport, make(chan struct{}, mostRequests)}
	return client
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case b.slots <- struct{}{}:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	free := sync.OnceFunc(func() { <-b.slots })
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		free()
		return nil, err
	}
	resp.Body = &freeing{resp.Body, free}
	return resp, nil
}

type freeing struct {
	io.ReadCloser
	free func()
}

// Close implements io.Closer.
func (f *freeing) Close() error {
	defer f.free()
	return f.ReadCloser.Close()
}

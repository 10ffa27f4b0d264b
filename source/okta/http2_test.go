package okta

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/witfoo/signal-client/source"
)

// wireTo is a way to a server on which packets can begin to vanish, as on one that a NAT
// has forgotten: nobody is told.
type wireTo struct {
	net.Conn
	lost   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (l *wireTo) Write(p []byte) (int, error) {
	if l.lost.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

func (l *wireTo) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.lost.Load() {
		<-l.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (l *wireTo) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Conn.Close()
}

// SetWriteDeadline does nothing: what is written is gone at once.
func (l *wireTo) SetWriteDeadline(time.Time) error { return nil }

// switchboard is where a server is called; each call has a wire of its own.
type switchboard struct {
	calls chan net.Conn
	all   []*wireTo
}

func (l *switchboard) Accept() (net.Conn, error) {
	conn, ok := <-l.calls
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (l *switchboard) Close() error   { close(l.calls); return nil }
func (l *switchboard) Addr() net.Addr { return &net.TCPAddr{} }

func (l *switchboard) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	one := &wireTo{Conn: here, closed: make(chan struct{})}
	l.all = append(l.all, one)
	l.calls <- there
	return one, nil
}

// overHTTP2 runs a test with a client of an org that speaks HTTP/2.
func overHTTP2(t *testing.T, test func(*testing.T, *Client, *switchboard)) {
	lender := httptest.NewTLSServer(nil) // of a certificate
	defer lender.Close()
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	certificates := lender.TLS.Certificates
	synctest.Test(t, func(t *testing.T) {
		calls := &switchboard{calls: make(chan net.Conn)}
		server := &http.Server{
			TLSConfig: &tls.Config{Certificates: certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != 2 {
					t.Errorf("asked by %s", r.Proto)
				}
				_, _ = io.WriteString(w, "[]")
			}),
		}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.ServeTLS(calls, "", "") }()
		c := client(nil)
		c.Origin, c.HTTP, c.Timeout = "https://example.com", source.NewHTTPClient(), 10*time.Second
		transport := c.HTTP.Transport.(*http.Transport)
		transport.Proxy, transport.DialContext, transport.TLSClientConfig.RootCAs = nil, calls.dial, roots
		test(t, c, calls)
		transport.CloseIdleConnections()
		for _, one := range calls.all {
			_ = one.Close()
		}
		_ = server.Close()
		<-done
	})
}

func TestALostConnectionIsNotedBeforeItIsUsed(t *testing.T) {
	overHTTP2(t, func(t *testing.T, c *Client, calls *switchboard) {
		poll := func() error {
			_, err := c.Poll(t.Context(), "/api/v1/logs")
			return err
		}
		if err := poll(); err != nil {
			t.Fatal(err)
		}
		calls.all[0].lost.Store(true)
		time.Sleep(time.Minute) // an interval
		if err := poll(); err != nil || len(calls.all) != 2 {
			t.Errorf("after a minute of silence: %v, with %d connections", err, len(calls.all))
		}
	})
}

func TestALateRequestLeavesItsConnection(t *testing.T) {
	overHTTP2(t, func(t *testing.T, c *Client, calls *switchboard) {
		poll := func() error {
			_, err := c.Poll(t.Context(), "/api/v1/logs")
			return err
		}
		if err := poll(); err != nil {
			t.Fatal(err)
		}
		calls.all[0].lost.Store(true)
		if err := poll(); err == nil {
			t.Fatal("an answer over a connection that is lost")
		}
		time.Sleep(250 * time.Millisecond) // the least that a runner waits
		if err := poll(); err != nil || len(calls.all) != 2 {
			t.Errorf("the request after a late one: %v, with %d connections", err, len(calls.all))
		}
	})
}

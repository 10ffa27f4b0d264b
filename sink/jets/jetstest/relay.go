package jetstest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay is a proxy between two servers of a cluster. It can be cut.
type relay struct {
	listener net.Listener
	to       string
	busy     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// newRelay listens and forwards connections to an address until the test ends.
func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, to: to}
	r.busy.Go(r.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		r.set(true)
		r.busy.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.to)
		if err != nil || !r.keep(conn, far) {
			_ = conn.Close()
			if err == nil {
				_ = far.Close()
			}
			continue
		}
		for _, way := range [][2]net.Conn{{conn, far}, {far, conn}} {
			r.busy.Go(func() {
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].Close()
				_ = way[1].Close()
			})
		}
	}
}

// keep records a connection's two halves, unless the relay is cut.
func (r *relay) keep(halves ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.cut {
		r.conns = append(r.conns, halves...)
	}
	return !r.cut
}

// set cuts the relay and its connections, or allows connections again.
func (r *relay) set(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut = cut; !cut {
		return
	}
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
}

func (r *relay) addr() string { return r.listener.Addr().String() }

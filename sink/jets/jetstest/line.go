package jetstest

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// Line is a TCP proxy to an address on loopback. It can be cut, or fall silent as a
// connection does that a firewall has forgotten: data is accepted and goes nowhere, and
// neither side notices.
type Line struct {
	to       string
	listener net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]bool
	cut    bool
	silent chan struct{} // closed when it speaks again; nil: it is not silent
}

// NewLine returns a proxy to a host and port; it ends with the test.
func NewLine(t testing.TB, to string) *Line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{to: to, listener: listener, conns: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		l.Speak()
		l.Cut()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { l.carry(near) })
		}
	})
	return l
}

// URL returns the proxy's address, for a client or a leaf node.
func (l *Line) URL() string { return fmt.Sprintf("nats://%s", l.listener.Addr()) }

// Cut ends all connections, and refuses new ones until Mend.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for conn := range l.conns {
		_ = conn.Close()
	}
}

// Mend undoes Cut.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// Silence holds back all data, in both directions, until Speak.
func (l *Line) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent == nil {
		l.silent = make(chan struct{})
	}
}

// Speak undoes Silence.
func (l *Line) Speak() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent != nil {
		close(l.silent)
		l.silent = nil
	}
}

func (l *Line) carry(near net.Conn) {
	defer near.Close()
	l.pause()
	if !l.add(near) {
		return
	}
	defer l.remove(near)
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !l.add(far) {
		return
	}
	defer l.remove(far)
	var wg sync.WaitGroup
	wg.Go(func() { l.copy(far, near) })
	wg.Go(func() { l.copy(near, far) })
	wg.Wait()
}

func (l *Line) copy(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.pause()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pause waits while the line is silent.
func (l *Line) pause() {
	l.mu.Lock()
	silent := l.silent
	l.mu.Unlock()
	if silent != nil {
		<-silent
	}
}

func (l *Line) add(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		l.conns[conn] = true
	}
	return !l.cut
}

func (l *Line) remove(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
}

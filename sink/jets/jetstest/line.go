package jetstest

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// Line is a way over loopback to an address that can be cut, or fall silent as
// one does whose firewall forgot it: what is sent is taken and goes nowhere, and
// neither side is told.
type Line struct {
	to       string
	listener net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]bool
	cut    bool
	silent chan struct{} // closed when it speaks again; nil: it does
}

// NewLine makes a line to a host and port; it ends with the test.
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

// URL is where the line begins, for a client or a leaf node.
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

// Mend ends what Cut began.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// Silence holds back whatever is sent from now on, in both directions, until Speak.
func (l *Line) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent == nil {
		l.silent = make(chan struct{})
	}
}

// Speak ends what Silence began.
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

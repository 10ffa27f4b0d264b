package jetstest

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// Proxy is a process's connection to the server. It can be cut, at a given write or at
// once, for good or for a while; and it can stall: then nothing arrives on either side,
// nobody notices, and everything arrives later.
type Proxy struct {
	server inProcess

	mu    sync.Mutex
	conn  *proxyConn
	made  time.Time     // when conn was made, or resumed
	left  int           // writes until last is called; negative: never
	last  func()        // called at that write
	dead  bool          // for good
	away  bool          // no connection can be made
	still chan struct{} // closed when it resumes; nil: not stalled
	deaf  bool          // no watch of LOCKS can be made

	closing bool // conn was closed during a stall: earlier writes are still to arrive
}

// inProcess is a server that is connected to within the process.
type inProcess interface{ InProcessConn() (net.Conn, error) }

// NewProxy returns a connection to a server that stands until it is cut.
func NewProxy(server inProcess) *Proxy { return &Proxy{server: server, left: -1} }

// InProcessConn lets nats.InProcessServer use a proxy.
func (c *Proxy) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || c.away || c.still != nil {
		return nil, errors.New("no way to the server")
	}
	conn, err := c.server.InProcessConn()
	if err != nil {
		return nil, err
	}
	c.made = time.Now()
	c.conn = &proxyConn{Conn: conn, proxy: c, came: make(chan struct{}, 1), closed: make(chan struct{})}
	go c.conn.pump()
	return c.conn, nil
}

// AtWrite calls f at the n-th write from now.
func (c *Proxy) AtWrite(n int, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.last = n, f
}

// Cut ends the connection; dead: for good.
func (c *Proxy) Cut(dead bool) {
	c.mu.Lock()
	c.dead = c.dead || dead
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
}

// Part cuts the connection and allows no new one until Heal.
func (c *Proxy) Part() {
	c.mu.Lock()
	c.away = true
	c.mu.Unlock()
	c.Cut(false)
}

// CutAfter cuts the connection at the n-th write from now: the server has received it,
// the process gets no answer.
func (c *Proxy) CutAfter(writes int) { c.AtWrite(writes, func() { c.Cut(false) }) }

// SetDeaf forbids watches of LOCKS, or allows them again.
func (c *Proxy) SetDeaf(deaf bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = deaf
}

// Stall stalls it.
func (c *Proxy) Stall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.still == nil {
		c.still = make(chan struct{})
	}
}

// Heal removes all faults.
func (c *Proxy) Heal() {
	c.mu.Lock()
	conn, still := c.conn, c.still
	c.left, c.away, c.deaf = -1, false, false
	c.mu.Unlock()
	if still == nil {
		return
	}
	if conn == nil {
		c.move(nil, nil)
		return
	}
	conn.writing.Lock()
	defer conn.writing.Unlock()
	c.move(conn.Conn, conn.held)
	conn.held = nil
}

// move ends a stall. Held data goes first.
func (c *Proxy) move(conn net.Conn, held [][]byte) {
	for _, b := range held {
		_, _ = conn.Write(b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		_ = conn.Close()
		c.closing = false
	}
	if c.still != nil {
		close(c.still)
	}
	c.still, c.made = nil, time.Now()
}

// Fresh reports whether the connection was made, or resumed, a moment ago, so that its
// first messages may still be missing.
func (c *Proxy) Fresh() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.made) < 5*time.Second // for as long as a watch may be silent
}

// stands returns a channel that is closed when the proxy resumes; nil: not stalled.
func (c *Proxy) stands() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.still
}

// proxyConn is one connection through a proxy. The server's data is accepted at once, as
// real buffers would, so that the server does not drop a stalled client. No write blocks:
// nats.go writes with its mutex held, and waiting for that mutex stops the bubble's
// clock.
type proxyConn struct {
	net.Conn
	proxy *Proxy

	writing sync.Mutex
	held    [][]byte // written during a stall

	mu     sync.Mutex
	in     [][]byte
	err    error
	came   chan struct{} // in has data, or err is set
	closed chan struct{}
	once   sync.Once
}

func (c *proxyConn) pump() {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Conn.Read(buf)
		c.mu.Lock()
		if n > 0 {
			c.in = append(c.in, slices.Clone(buf[:n]))
		}
		c.err = err
		c.mu.Unlock()
		select {
		case c.came <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Read implements net.Conn.
func (c *proxyConn) Read(b []byte) (int, error) {
	for {
		if still := c.proxy.stands(); still != nil {
			select {
			case <-still:
			case <-c.closed:
				return 0, net.ErrClosed
			}
			continue
		}
		n, err := c.take(b)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-c.came:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
}

func (c *proxyConn) take(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in) == 0 {
		return 0, c.err
	}
	n := copy(b, c.in[0])
	if c.in[0] = c.in[0][n:]; len(c.in[0]) == 0 {
		c.in = c.in[1:]
	}
	return n, nil
}

// Write implements net.Conn.
func (c *proxyConn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.proxy.mu.Lock()
	still, deaf, last := c.proxy.still != nil, c.proxy.deaf, func() {}
	if c.proxy.left = max(c.proxy.left-1, -1); c.proxy.left == 0 {
		last = c.proxy.last
	}
	c.proxy.mu.Unlock()
	if still {
		c.held = append(c.held, slices.Clone(b))
		return len(b), nil
	}
	sent := b
	if deaf {
		sent = bytes.ReplaceAll(b, []byte("CONSUMER.CREATE.KV_LOCKS"), []byte("CONSUMER.ABSENT.KV_LOCKS"))
	}
	n, err := c.Conn.Write(sent)
	last()
	return n, err
}

// Close implements net.Conn. On a stalled proxy the end arrives after the held data.
func (c *proxyConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	if c.proxy.still != nil && c.proxy.conn == c {
		c.proxy.closing = true
		return nil
	}
	return c.Conn.Close()
}

// SetDeadline implements net.Conn. Reads have no deadline, because the pump must not.
func (c *proxyConn) SetDeadline(t time.Time) error { return c.SetWriteDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *proxyConn) SetReadDeadline(time.Time) error { return nil }

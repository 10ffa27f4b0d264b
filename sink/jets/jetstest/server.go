package jetstest

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a nats-server in the test's process.
type Server struct {
	config Config

	mu      sync.Mutex
	running *server.Server // nil while stopped
	conns   []net.Conn     // in-process connections
	stopped chan struct{}  // closed when the last Stop has ended
}

// Run starts a server that is stopped with the test. It may be called inside a synctest
// bubble.
func Run(t testing.TB) *Server {
	t.Helper()
	return Config{}.Run(t)
}

// Run starts a server configured by c; it is stopped with the test.
func (c Config) Run(t testing.TB) *Server {
	t.Helper()
	ForgetTimers()
	s := &Server{config: c.withDefaults(t)}
	t.Cleanup(rest)
	t.Cleanup(s.Stop)
	s.Start(t)
	return s
}

// ForgetTimers empties the pool in which nats.go keeps the timers of its flushes (one per
// reconnect) and of NextMsg: a timer made in one synctest bubble crashes the process when
// it is used in another, or outside. Run, Process and Cluster call it; call it before
// connecting to another server after a bubble.
func ForgetTimers() {
	runtime.GC()
	runtime.GC() // collects what the first one has put aside
}

// rest lets the last goroutines of a stopped server end. Otherwise a bubble whose clock
// has stopped reports a deadlock.
func rest() {
	defer func() { _ = recover() }() // of Wait, outside a bubble
	synctest.Wait()
	time.Sleep(time.Second)
}

// startTime is how long a server may take to start on a busy machine.
const startTime = 2 * time.Minute

// Start starts a stopped server on its directory.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	srv, err := server.NewServer(s.config.options())
	if err != nil {
		t.Fatalf("test's server: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(startTime) {
		t.Fatalf("test's server is not ready after %v", startTime)
	}
	s.mu.Lock()
	s.running = srv
	s.mu.Unlock()
}

// Stop shuts the server down and waits for it. On a stopped server it does nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	srv, conns := s.running, s.conns
	s.running, s.conns = nil, nil
	if srv != nil {
		s.stopped = make(chan struct{})
	}
	stopped := s.stopped
	s.mu.Unlock()
	if srv == nil {
		if stopped != nil {
			<-stopped // by another call, which may be in progress
		}
		return
	}
	defer close(stopped)
	// A server that shuts down sleeps with its JetStream lock held. A client that
	// requests a consumer then waits for that lock, which stops a bubble's clock, and
	// with it the sleep: so all clients are closed first, and their requests are
	// finished.
	for _, conn := range conns {
		_ = conn.Close()
	}
	if len(conns) > 0 {
		time.Sleep(time.Millisecond)
	}
	srv.Shutdown()
	srv.WaitForShutdown()
}

// Restart restarts the server on the same store; clients reconnect.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	s.Start(t)
}

// RestartAs is Restart with another configuration, on the same store.
func (s *Server) RestartAs(t testing.TB, change func(*Config)) {
	t.Helper()
	s.Stop()
	change(&s.config)
	s.Start(t)
}

// SetPassword changes the password of the user "test" for the next Start.
func (s *Server) SetPassword(password string) { s.config.Password = password }

// Copy copies the store of a stopped server and returns the copy's directory.
func (s *Server) Copy(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.config.Dir)); err != nil {
		t.Fatalf("copy the store: %v", err)
	}
	return dir
}

// Restore replaces the store of a stopped server by a copy, as an operator restores a
// backup.
func (s *Server) Restore(t testing.TB, copied string) {
	t.Helper()
	if err := os.RemoveAll(s.config.Dir); err != nil {
		t.Fatalf("empty the store: %v", err)
	}
	if err := os.CopyFS(s.config.Dir, os.DirFS(copied)); err != nil {
		t.Fatalf("restore the store: %v", err)
	}
}

// Dir returns the store's directory.
func (s *Server) Dir() string { return s.config.Dir }

// URL returns the server's address; empty if it does not listen.
func (s *Server) URL() string {
	if !s.config.Listen {
		return ""
	}
	return url(s.config.Port)
}

// Option connects a client of this process to the server, whichever instance is running.
func (s *Server) Option() nats.Option {
	return func(o *nats.Options) error {
		if err := s.config.userInfo()(o); err != nil {
			return err
		}
		return nats.InProcessServer(s)(o)
	}
}

// Admin connects as a user who may do everything.
func (s *Server) Admin(t testing.TB) *nats.Conn {
	t.Helper()
	return connect(t, "", nats.InProcessServer(s), s.config.adminInfo())
}

// InProcessConn lets nats.InProcessServer use a Server.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil, errors.New("test's server is stopped")
	}
	conn, err := s.running.InProcessConn()
	if err == nil {
		s.conns = append(s.conns, conn)
	}
	return conn, err
}

// Connect connects to the server in-process. The connection reconnects by itself after a
// restart and is closed with the test.
func (s *Server) Connect(t testing.TB, opts ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, "", append([]nats.Option{nats.InProcessServer(s), s.config.adminInfo()}, opts...)...)
}

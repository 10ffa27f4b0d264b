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
	conns   []net.Conn     // within the process
	stopped chan struct{}  // closed when the newest Stop has ended
}

// Run starts a server that stops with the test. It may be called inside a
// synctest bubble.
func Run(t testing.TB) *Server {
	t.Helper()
	return Config{}.Run(t)
}

// Run starts the server that c describes; it stops with the test.
func (c Config) Run(t testing.TB) *Server {
	t.Helper()
	ForgetTimers()
	s := &Server{config: c.withDefaults(t)}
	t.Cleanup(rest)
	t.Cleanup(s.Stop)
	s.Start(t)
	return s
}

// ForgetTimers empties the pool in which nats.go keeps the timers of its flushes
// (one at each reconnect) and of NextMsg: a timer that was made in one synctest
// bubble ends the whole process in another, and outside of any. Run, Process and
// Cluster call it; whoever connects to another server after a bubble calls it himself.
func ForgetTimers() {
	runtime.GC()
	runtime.GC() // takes what the first has put aside
}

// rest lets the last goroutines of a stopped server end. A bubble whose clock
// stands still already takes them for a deadlock.
func rest() {
	defer func() { _ = recover() }() // of Wait, outside a bubble
	synctest.Wait()
	time.Sleep(time.Second)
}

// startTime is how long a server may take to start, on a machine that has much else
// to do.
const startTime = 2 * time.Minute

// Start starts a stopped server on what its directory holds.
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

// Stop shuts the server down and waits for it. A stopped server stays stopped.
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
			<-stopped // by another call, which may be under way
		}
		return
	}
	defer close(stopped)
	// A server that ends sleeps with its JetStream locked. Whoever asks it for
	// a consumer then waits for that lock, which stops a bubble's clock, and with it
	// the sleep: so all clients go first, and what they have asked for is done.
	for _, conn := range conns {
		_ = conn.Close()
	}
	if len(conns) > 0 {
		time.Sleep(time.Millisecond)
	}
	srv.Shutdown()
	srv.WaitForShutdown()
}

// Restart stops the server and starts it again on the same store; clients
// reconnect.
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

// SetPassword changes the password of the user "test" from the next Start on.
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

// Restore puts a copy back in place of the store of a stopped server, as an
// operator does with a backup.
func (s *Server) Restore(t testing.TB, copied string) {
	t.Helper()
	if err := os.RemoveAll(s.config.Dir); err != nil {
		t.Fatalf("empty the store: %v", err)
	}
	if err := os.CopyFS(s.config.Dir, os.DirFS(copied)); err != nil {
		t.Fatalf("restore the store: %v", err)
	}
}

// Dir is the directory of the store.
func (s *Server) Dir() string { return s.config.Dir }

// URL is where the server listens; empty when it does not.
func (s *Server) URL() string {
	if !s.config.Listen {
		return ""
	}
	return url(s.config.Port)
}

// Option connects a client in this process to the server, whichever is
// running at the time.
func (s *Server) Option() nats.Option {
	return func(o *nats.Options) error {
		if err := s.config.userInfo()(o); err != nil {
			return err
		}
		return nats.InProcessServer(s)(o)
	}
}

// InProcessConn makes a Server fit for nats.InProcessServer.
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

// Connect connects to the server within the process. The connection comes
// back by itself after a restart and is closed with the test.
func (s *Server) Connect(t testing.TB, opts ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, "", append([]nats.Option{s.Option()}, opts...)...)
}

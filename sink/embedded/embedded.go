// Package embedded runs the nats-server that signal-client brings along, for
// those who have none: JetStream on file, in this process.
//
// What was acked survives the end of the process, SIGKILL included; with the
// default, fsync before every ack, the loss of power too. It is one server: it
// does not survive the loss of its disk.
package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// MaxPayload is the largest message that the server takes, in bytes.
const MaxPayload = 8 << 20

// ErrInUse: another process runs a server on the store.
var ErrInUse = errors.New("in use by another process")

// Config says how the server is run.
type Config struct {
	Dir          string        // the store; default "data"
	Listen       string        // host:port, port 0 is a free one; default 127.0.0.1:4222
	NoListen     bool          // reached from within the process alone
	SyncInterval time.Duration // between fsyncs: what a loss of power may cost; default 0: before every ack
	User         string        // default "signal-client" when there is a password
	Password     string        // empty: none is asked, on loopback only
	Log          *slog.Logger  // nil: none
}

func (c Config) withDefaults() Config {
	c.Dir = cmp.Or(c.Dir, "data")
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:4222")
	if c.User == "" && c.Password != "" {
		c.User = "signal-client"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server is a running nats-server. It is safe for concurrent use.
type Server struct {
	config Config
	nats   *server.Server
	lock   *os.File // the lock on the store; the system drops it with the process
	once   sync.Once
}

// Start starts the server and waits until it can be used: a large store that was
// not closed takes seconds to read. It returns ErrInUse when another process runs
// a server on the same directory, which nats-server itself would not notice.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{config: cfg, lock: lock}
	if err := s.start(ctx, opts); err != nil {
		s.Shutdown()
		return nil, fmt.Errorf("start nats-server on %s: %w", cfg.Dir, err)
	}
	return s, nil
}

func (c Config) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: "signal-client", StoreDir: c.Dir, JetStream: true,
		DontListen: c.NoListen, MaxPayload: MaxPayload,
		SyncAlways: c.SyncInterval == 0, SyncInterval: c.SyncInterval,
		Username: c.User, Password: c.Password,
		NoSigs: true, DisableJetStreamBanner: true,
	}
	if c.NoListen {
		return opts, nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: write it as host:port, such as 127.0.0.1:4222", c.Listen)
	}
	if opts.Port, err = strconv.Atoi(port); err != nil || opts.Port < 0 || opts.Port > 65535 {
		return nil, fmt.Errorf("listen on %q: %q is no port", c.Listen, port)
	}
	if opts.Host = host; host == "" {
		opts.Host = "0.0.0.0"
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	if c.Password == "" && !Loopback(host) {
		return nil, fmt.Errorf("listen on %s: others could reach it, so it needs a password; set one, or listen on 127.0.0.1", c.Listen)
	}
	return opts, nil
}

// Loopback reports whether a host can be reached from this machine only: what listens
// on any other needs a password.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Server) start(ctx context.Context, opts *server.Options) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := free(ctx, opts); err != nil {
		return err
	}
	var err error
	if s.nats, err = server.NewServer(opts); err != nil {
		return err
	}
	log := &logger{log: s.config.Log}
	s.nats.SetLoggerV2(log, false, false, false)
	var starting sync.WaitGroup
	defer starting.Wait()
	starting.Go(s.nats.Start)
	for !s.nats.ReadyForConnections(200 * time.Millisecond) {
		if err := log.fatal(); err != nil {
			s.nats.Shutdown()
			return err
		}
		if ctx.Err() != nil {
			s.nats.Shutdown()
			return context.Cause(ctx)
		}
	}
	return nil
}

// free says in plain words that an address can't be listened on: the server
// would only log it.
func free(ctx context.Context, opts *server.Options) error {
	if opts.DontListen || opts.Port == server.RANDOM_PORT {
		return nil
	}
	address := net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use, maybe by another nats-server: stop it, connect to it instead, or listen elsewhere: %w", address, err)
	case err != nil:
		return err
	}
	return l.Close()
}

// Shutdown stops the server, waits until its store is closed and gives the
// directory free. It may be called more than once.
func (s *Server) Shutdown() {
	s.once.Do(func() {
		if s.nats != nil {
			s.nats.Shutdown()
			s.nats.WaitForShutdown()
		}
		_ = s.lock.Close()
	})
}

// InProcess is the option that connects a client in this process, without a
// socket.
func (s *Server) InProcess() nats.Option {
	return func(o *nats.Options) error {
		if s.config.Password != "" {
			o.User, o.Password = s.config.User, s.config.Password
		}
		return nats.InProcessServer(s.nats)(o)
	}
}

// URL is where clients connect, without user and password; empty when the server
// does not listen.
func (s *Server) URL() string {
	if s.config.NoListen {
		return ""
	}
	return s.nats.ClientURL()
}

// Package embedded runs a nats-server with JetStream on file in this process, for
// installations without one.
//
// Acknowledged messages survive the end of the process, SIGKILL included; with the
// default, fsync before every ack, a loss of power, too. It is a single server: it does
// not survive the loss of its disk.
//
// The disk bounds the store. JetStream counts bytes before compression, so a limit of its
// own would be reached while most of the disk is free, and would refuse the buckets along
// with the events. Instead a reserve of the disk is kept for the buckets, the locks among
// them, and for operations that free space: [Room] shows whether events may be written.
// If the store fails because the disk is full or broken, it is reopened within the process
// as soon as there is room. Start reading at [Start].
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
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
)

// MaxPayload is the largest message that the server accepts, in bytes.
const MaxPayload = 8 << 20

// ErrInUse: another process runs a server on the store.
var ErrInUse = errors.New("in use by another process")

// Config is the configuration of the server.
type Config struct {
	Dir          string        // of the store; default "data"
	Listen       string        // host:port, port 0 is a free one; default 127.0.0.1:4222
	NoListen     bool          // only reachable from this process
	SyncInterval time.Duration // between fsyncs: a loss of power may lose that much; default 0: before every ack
	User         string        // default "signal-client"
	Password     string        // empty: one that the server makes and keeps in ContextName, on loopback only
	NoPassword   bool          // it demands none, on loopback only
	Log          *slog.Logger  // nil: none
}

func (c Config) withDefaults() Config {
	c.Dir = cmp.Or(c.Dir, "data")
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:4222")
	c.User = cmp.Or(c.User, defaultUser)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	return c
}

const defaultUser = "signal-client"

// ownPassword reports whether the password is the server's own.
func (c Config) ownPassword() bool { return c.Password == "" && !c.NoPassword && !c.NoListen }

// Server is a running nats-server. It is safe for concurrent use.
type Server struct {
	config     Config
	opts       *server.Options
	lock       *os.File // lock on the store; the system releases it when the process ends
	disk       disk
	once       sync.Once
	end        context.CancelFunc // of the watch
	ended      sync.WaitGroup
	told       bool   // events are held back, as last logged by watch
	unkept     *Login // not in its file yet, as on a full disk; nil: it is, or there is none
	toldUnkept bool   // that was logged

	mu      sync.Mutex
	nats    *server.Server // nil: it is being restarted
	url     string
	trouble string // why nothing can be stored; empty: no known reason
}

// maxStore leaves the limit to the disk.
const maxStore = 1 << 50

// Start starts the server and waits until it is ready: reading a large store that was not
// closed takes seconds. It returns ErrInUse when another process runs a server on the
// same directory, which nats-server itself would not notice.
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
	s := &Server{config: cfg, opts: opts, lock: lock, disk: disk{dir: cfg.Dir}, end: func() {}}
	if err = free(ctx, opts); err == nil {
		err = s.first(ctx)
	}
	if err != nil {
		s.Shutdown()
		return nil, fmt.Errorf("start nats-server on %s: %w", cfg.Dir, err)
	}
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	s.ended.Go(func() { s.watch(watching) })
	return s, nil
}

func (c Config) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: "signal-client", StoreDir: c.Dir, JetStream: true,
		DontListen: c.NoListen, MaxPayload: MaxPayload,
		SyncAlways: c.SyncInterval == 0, SyncInterval: c.SyncInterval,
		NoSigs: true, DisableJetStreamBanner: true, JetStreamMaxStore: maxStore,
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
	opts.Host, opts.Port = cmp.Or(host, "0.0.0.0"), cmp.Or(opts.Port, server.RANDOM_PORT)
	if c.Password == "" && !Loopback(host) {
		return nil, fmt.Errorf("listen on %s: others could reach it, so it needs a password; set one, or listen on 127.0.0.1", c.Listen)
	}
	return opts, nil
}

// Loopback reports whether only this machine reaches a host; any other needs a password.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// first starts the first nats-server, with its password. It holds the lock on the
// directory, so no other process changes the login.
func (s *Server) first(ctx context.Context) error {
	l := Login{User: s.config.User, Password: pipeline.NewSecret(s.config.Password)}
	if s.config.ownPassword() {
		var err error
		if l, err = login(s.config.Dir); err != nil {
			return err
		}
		s.unkept = &l
	}
	if !l.Password.IsZero() {
		s.opts.Username, s.opts.Password = l.User, l.Password.Reveal()
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	l.URL = s.url
	s.keepLogin()
	return nil
}

// start starts a nats-server and makes it the current one.
func (s *Server) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	srv, err := server.NewServer(s.opts.Clone())
	if err != nil {
		return err
	}
	log := &logger{log: s.config.Log}
	srv.SetLoggerV2(log, false, false, false)
	var starting sync.WaitGroup
	defer starting.Wait()
	starting.Go(srv.Start)
	for !srv.ReadyForConnections(200 * time.Millisecond) {
		err := log.fatal()
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			srv.Shutdown()
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nats = srv
	if s.url == "" && !s.config.NoListen {
		s.url = srv.ClientURL()
		if addr, ok := srv.Addr().(*net.TCPAddr); ok {
			s.opts.Port = addr.Port // keep the port at a restart
		}
	}
	return nil
}

// stop stops the nats-server and waits until its store is closed.
func (s *Server) stop() {
	s.mu.Lock()
	srv := s.nats
	s.nats = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// free returns a plain error if an address is in use: the server would only log it.
func free(ctx context.Context, opts *server.Options) error {
	if opts.DontListen || opts.Port == server.RANDOM_PORT {
		return nil
	}
	address := net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port))
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, addressInUse):
		return fmt.Errorf("%s is in use, maybe by another nats-server: stop it, connect to it instead, or listen on another address: %w", address, err)
	case err != nil:
		return err
	}
	return l.Close()
}

// Shutdown stops the server, waits until its store is closed and unlocks the directory.
// It may be called more than once.
func (s *Server) Shutdown() {
	s.once.Do(func() {
		s.end()
		s.ended.Wait()
		s.stop()
		_ = s.lock.Close()
	})
}

// InProcess returns the option that connects a client of this process without a socket.
func (s *Server) InProcess() nats.Option {
	return func(o *nats.Options) error {
		o.User, o.Password = s.opts.Username, s.opts.Password
		return nats.InProcessServer(s)(o)
	}
}

// InProcessConn serves nats.InProcessServer: reconnects reach the current nats-server.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	srv := s.nats
	s.mu.Unlock()
	if srv == nil {
		return nil, errStarting
	}
	return srv.InProcessConn()
}

var errStarting = errors.New("the embedded nats-server is restarting")

// URL returns where clients connect, without user and password; empty: nowhere.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

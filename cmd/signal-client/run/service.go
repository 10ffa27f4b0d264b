package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/seal"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search"
)

// Service is what run and demo run.
//
// It starts from the outside in: HTTP, NATS, streams and buckets, the session, the fleet;
// and ends in reverse order.
type Service struct {
	Config config.Config
	Log    *slog.Logger
	Trace  *pipeline.Trace // further hooks; nil: none
	HTTP   *http.Client    // sends the requests to the orgs; nil: okta's
	Kinds  kinds.Kinds     // of the instances; nil: all that are built in
	// Locks wraps this process's locks, as simulations do; nil: they are used as they are.
	Locks func(*locks.Locks) pipeline.Locks
	// Opened, unless nil, is called when streams and buckets exist; nothing is polled yet.
	Opened func(context.Context, *jets.Store, *embedded.Server) error
	// Idle: it polls nothing, creates no stream, and serves the index and the console only.
	Idle bool
	// Index is the search index; nil: there is none.
	Index *search.Service
	// Console is the web console; nil: there is none.
	Console Console

	hup     <-chan os.Signal // reload on each signal; nil: never
	secrets pipeline.Secrets
	keys    *seal.Keys // of secrets; nil: there are none

	metrics *telemetry.Metrics
	unowned *unownedCount
	ready   readiness
	nats    natsHolder
	server  *embedded.Server // nil: NATS is not embedded
}

// Console is the web console. No error of it ends the service.
type Console interface {
	// Handler serves it, and the process's own pages, if own is not nil. waiting returns why
	// there is no store yet.
	Handler(own http.Handler, waiting func() []string) http.Handler
	// Run works for it until ctx ends.
	Run(ctx context.Context, store *jets.Store) error
}

// NewConsole makes the console of a configuration and an index.
type NewConsole func(config.Config, *search.Service, *slog.Logger) (Console, error)

// Equip gives the service what it serves beside polling: the search index and the
// console, as far as the configuration wants them.
func (s *Service) Equip(newConsole NewConsole) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's file: %w", err)
	}
	index, err := s.Config.Index([]string{program, "search-index"})
	if err != nil {
		return err
	}
	index.Replica, index.LeastFree = s.Config.Process.Replica, s.leastFree
	s.Index = search.New(index, s.Log)
	if s.Config.ServesConsole() {
		s.Console, err = newConsole(s.Config, s.Index, s.Log)
	}
	return err
}

// drainGrace is how long sending the rest may take at the end.
const drainGrace = 500 * time.Millisecond

// Run serves until ctx ends; then it returns nil.
func (s *Service) Run(ctx context.Context) error {
	b := build.Read()
	log := s.Log
	if b.Revision != "unknown" {
		log = log.With("revision", b.Revision)
	}
	if !s.Idle {
		log = log.With("replica", s.Config.Process.Replica)
	}
	log.Info("signal-client " + b.Version)
	if err := s.count(); err != nil {
		return err
	}
	s.ready.Waiting("starting")

	sites, err := s.sites()
	if err != nil {
		return err
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	for _, at := range sites {
		wg.Go(func() {
			if err := serveHTTP(serving, at, s.Log); err != nil {
				fail(err)
			}
		})
	}
	defer wg.Wait()
	defer end()
	context.AfterFunc(running, s.ready.Ending)

	err = s.withNATS(running)
	if ctx.Err() != nil {
		if err != nil && !errors.Is(err, context.Canceled) {
			s.Log.Warn("ended", "err", err)
		}
		s.Log.Info("ended")
		return nil
	}
	if cause := context.Cause(running); cause != nil {
		return cause
	}
	return err
}

// RunOn is Run on a connection, which it closes, and without a listener.
func (s *Service) RunOn(ctx context.Context, conn *jets.Conn) error {
	if err := s.count(); err != nil {
		return err
	}
	if err := s.openSecrets(ctx, false); err != nil {
		return err
	}
	return s.serve(ctx, conn)
}

// withNATS opens NATS, and closes it when the work is done.
func (s *Service) withNATS(ctx context.Context) error {
	beside := s.Config.NATS.Embedded() && !s.Idle
	if !beside {
		if err := s.openSecrets(ctx, false); err != nil {
			return err
		}
	}
	conn, server, err := s.open(ctx)
	if server != nil {
		defer server.Shutdown()
		s.server, s.nats.server = server, server
	}
	if err == nil && beside { // its store is this process's now
		err = s.openSecrets(ctx, true)
	}
	if err != nil {
		return err
	}
	return s.serve(ctx, conn)
}

// serve works on a connection until ctx ends, and closes it.
func (s *Service) serve(ctx context.Context, conn *jets.Conn) error {
	defer drain(conn)
	s.nats.conn.Store(conn)
	ctx, end := whileOpen(ctx, conn)
	return end(s.serveOn(ctx, conn))
}

// whileOpen returns a context that ends when the connection is closed for good, as a
// server does that takes offence at what was sent: no reconnect follows, and a new process
// is as good as new. end returns that as the error, or the given one.
func whileOpen(ctx context.Context, conn *jets.Conn) (open context.Context, end func(error) error) {
	open, stop := context.WithCancel(ctx)
	closed := conn.NATS.StatusChanged(nats.CLOSED)
	settle := inBackground(open, func(ctx context.Context) error {
		if !conn.NATS.IsClosed() { // it may have been before
			select {
			case <-ctx.Done():
			case <-closed:
			}
		}
		stop()
		return ctx.Err()
	})
	return open, func(err error) error {
		settle()
		if ctx.Err() != nil || !conn.NATS.IsClosed() {
			return err
		}
		return &problem.Error{Op: "stay connected to NATS", Err: cmp.Or(conn.NATS.LastError(), nats.ErrConnectionClosed), Code: problem.Unreachable,
			Hint: "start it again, as a supervisor does; the server's log says why it closed the connection"}
	}
}

// serveOn works on a connection until ctx ends.
func (s *Service) serveOn(ctx context.Context, conn *jets.Conn) error {
	defer s.followKeys(ctx)()
	if s.Idle {
		return s.watch(ctx, conn)
	}
	store, err := s.provision(ctx, conn)
	if err != nil {
		return err
	}
	if s.Opened != nil {
		if err := s.Opened(ctx, store, s.server); err != nil {
			return err
		}
	}
	defer s.beside(ctx, store)()
	return s.work(ctx, store)
}

// open connects to the configured server, or starts the embedded one.
func (s *Service) open(ctx context.Context) (*jets.Conn, *embedded.Server, error) {
	if s.Config.NATS.Embedded() && !s.Idle {
		return s.openEmbedded(ctx)
	}
	d, err := s.Config.NATS.To(s.Config.Server)
	if err != nil {
		return nil, nil, err
	}
	d.Dialer.Silence = time.Duration(s.Config.Process.SessionTTL)
	s.ready.Waiting(fmt.Sprintf("NATS at %s is not connected yet", d.Where))
	said := rarely{every: time.Minute}
	conn, err := d.Await(ctx, s.Log, func(err error) {
		reason := config.DescribeAway(d.Where, err)
		s.ready.Waiting(reason)
		missing := "it"
		if errors.Is(err, jets.ErrNoJetStream) {
			missing = "JetStream"
		}
		said.Do(reason, func() { s.Log.Warn("nats: waiting for "+missing, "servers", d.Where, "err", err) })
	})
	if err != nil {
		return nil, nil, err
	}
	s.Log.Info("nats: connected", "server", jets.Hosts(conn.NATS.ConnectedUrlRedacted()), "name", conn.NATS.ConnectedServerName(), "version", conn.NATS.ConnectedServerVersion())
	s.nats.where = d.Where
	return conn, nil, nil
}

func (s *Service) openEmbedded(ctx context.Context) (*jets.Conn, *embedded.Server, error) {
	s.ready.Waiting("the embedded NATS server is starting")
	server, err := config.StartEmbedded(ctx, s.Config.Server, s.Log)
	if err != nil {
		return nil, nil, err
	}
	conn, err := config.Dialing{Options: []nats.Option{server.InProcess()}}.Connect(ctx, s.Log)
	if err != nil {
		return nil, server, err
	}
	dir, _ := filepath.Abs(s.Config.Server.DataDir)
	s.Log.Info("nats: embedded server", "url", server.URL(), "version", conn.NATS.ConnectedServerVersion(), "store", dir)
	s.logLogin()
	s.nats.where = "the embedded server"
	s.logRoom(server)
	return conn, server, nil
}

// logLogin logs how other clients connect to the embedded server.
func (s *Service) logLogin() {
	if s.Config.Server.ContextPath() != "" {
		s.Log.Info("nats: clients on this machine find the password in a context of the nats command", "try", s.Config.Server.Watch())
	}
	if s.Config.Server.NoPassword() {
		s.Log.Warn("nats: the embedded server asks for no password: every user of this machine may read tokens and events", "try", "unset SIGNAL_CLIENT_NATS_PASSWORD")
	}
}

// logRoom logs what bounds the embedded store.
func (s *Service) logRoom(server *embedded.Server) {
	limit := "none: SIGNAL_CLIENT_STREAM_MAX_BYTES"
	if most := s.Config.Stream.MaxBytes; most > 0 {
		limit = humanize.IBytes(uint64(most))
	}
	room, err := server.Room()
	if err != nil {
		s.Log.Info("nats: the free disk space is unknown on this system", "limit_of_stream", limit, "err", err)
		return
	}
	s.Log.Info("nats: events are stored until only the reserve is left on the disk",
		"disk", humanize.IBytes(room.Total), "free", humanize.IBytes(room.Free), "reserve", humanize.IBytes(room.Reserve), "limit_of_stream", limit)
}

// kinds returns the kinds of sources that the service polls.
func (s *Service) kinds() kinds.Kinds {
	if s.Kinds == nil {
		return kinds.All
	}
	return s.Kinds
}

// subjects returns where events are stored, in words.
func (s *Service) subjects() string {
	var all []string
	for _, kind := range s.kinds() {
		all = append(all, jets.SubjectEvents(kind.Name, "<instance>"))
	}
	return strings.Join(all, " ")
}

// provision creates streams and buckets, retrying while NATS has temporary failures.
func (s *Service) provision(ctx context.Context, conn *jets.Conn) (*jets.Store, error) {
	said := rarely{every: time.Minute}
	backoff := pipeline.Backoff{Max: 5 * time.Second}
	for {
		config := s.Config.Stream.Asked()
		config.Log, config.Kinds, config.Secrets = s.Log, s.kinds().Plain(), s.secrets
		if s.server != nil {
			config.Room = s.server.Short
		}
		store, err := jets.Open(ctx, conn, config)
		if err == nil {
			s.Log.Info("nats: stream SIGNALS is ready", "subjects", s.subjects(), "copies", s.Config.Stream.Replicas)
			return store, nil
		}
		if ctx.Err() != nil || !passes(err) {
			return nil, err
		}
		s.ready.Waiting("streams and buckets are not created yet: " + err.Error())
		said.Do(err.Error(), func() { s.Log.Warn("nats: streams and buckets can't be created yet", "err", err) })
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return nil, err
		}
	}
}

// passes reports whether an error of JetStream may be over soon, such as an election.
func passes(err error) bool {
	const noSuitablePeers = 10005
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (api.Code >= 500 || api.ErrorCode == noSuitablePeers) || scan.Passing(err)
}

func drain(conn *jets.Conn) {
	if conn.Connected() {
		_ = conn.NATS.FlushTimeout(drainGrace)
	}
	conn.Close()
}

// rarely does something when it is new, and then at intervals.
type rarely struct {
	every time.Duration
	what  string
	at    time.Time
}

// Do calls f unless the same was done within the interval.
func (r *rarely) Do(what string, f func()) {
	if now := time.Now(); what != r.what || now.Sub(r.at) >= r.every {
		r.what, r.at = what, now
		f()
	}
}

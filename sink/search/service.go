package search

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Modes besides the URL of a remote VictoriaLogs.
const (
	Embedded = "embedded" // a child process
	Off      = "off"
)

// Defaults of a Config.
const (
	defaultMemory    = 256 << 20
	defaultRetention = 90 * 24 * time.Hour
	writeEvery       = 10 * time.Second
)

// Config is the configuration of a Service.
type Config struct {
	Mode      string          // Embedded, Off or empty, or the URL of a VictoriaLogs
	User      string          // of a remote one; empty: none
	Password  pipeline.Secret // of a remote one
	Dir       string          // of an embedded one's store, which is its own
	Memory    int64           // bound of an embedded one's caches, in bytes; 0: 256 MiB
	Retention time.Duration   // how far back it goes, by the time of the event; 0: 90 days
	Command   []string        // starts the child: this program and its hidden command
	LeastFree func() int64    // bytes of the disk that an embedded one leaves free; nil, or less: 128 MiB

	// WriteEvery is how often an embedded index writes what it has in memory to disk; at
	// least 1 s; 0: 10 s, which makes half as many files as VictoriaLogs' own 5 s. A remote
	// one has its own.
	WriteEvery time.Duration
	// Restart is how long the index's process, and whatever failed, wait before the next
	// try; zero: 1 s to 1 min.
	Restart pipeline.Backoff
	// Asks means that this process only asks a remote index, which another one writes.
	Asks bool
	// Replica names this process among those that could write a remote index.
	Replica string
}

func (c Config) withDefaults() Config {
	c.Mode = strings.TrimSuffix(cmp.Or(c.Mode, Off), "/")
	c.Memory, c.Retention = cmp.Or(c.Memory, defaultMemory), cmp.Or(c.Retention, defaultRetention)
	c.WriteEvery = cmp.Or(c.WriteEvery, writeEvery)
	c.Restart.Min, c.Restart.Max = cmp.Or(c.Restart.Min, time.Second), cmp.Or(c.Restart.Max, time.Minute)
	c.Replica = cmp.Or(c.Replica, "signal-client")
	return c
}

// ErrUnavailable: the index can't be asked now.
var ErrUnavailable = errors.New("the search index is not available")

// Service keeps a process's index. It is safe for concurrent use.
type Service struct {
	config   Config
	log      *slog.Logger
	progress progress
	missing  missing // of the newest session

	mu    sync.Mutex
	index *Index // nil: it can't be asked
}

// New returns a Service. It does nothing before Run; but a remote index can be asked.
func New(c Config, log *slog.Logger) *Service {
	s := &Service{config: c.withDefaults(), log: jets.OrDiscard(log)}
	switch s.config.Mode {
	case Off:
		s.progress.set(StateOff, "", "")
	case Embedded:
		s.progress.set(StateStarting, "", "")
	default:
		s.progress.set(StateStarting, "", "")
		s.index = &Index{URL: s.config.Mode, User: s.config.User, Password: s.config.Password, HTTP: newHTTPClient(true)}
	}
	return s
}

// Run keeps the index until ctx ends. Whatever becomes of the index, it returns no
// earlier: trouble is in Progress and in the log.
func (s *Service) Run(ctx context.Context, store *jets.Store) error {
	switch s.config.Mode {
	case Off:
	case Embedded:
		s.keepChild(ctx, store)
	default:
		s.keepRemote(ctx, store)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Index returns the index to ask. Its error, which matches ErrUnavailable, says why there
// is none now: off, starting, restarting.
func (s *Service) Index() (*Index, error) {
	s.mu.Lock()
	index := s.index
	s.mu.Unlock()
	if index != nil {
		return index, nil
	}
	p := s.Progress()
	switch {
	case p.State == StateOff:
		return nil, fmt.Errorf("%w: SIGNAL_CLIENT_SEARCH is off", ErrUnavailable)
	case p.Trouble != "":
		return nil, fmt.Errorf("%w: %s", ErrUnavailable, p.Trouble)
	}
	return nil, fmt.Errorf("%w: it is %s", ErrUnavailable, p.State)
}

func (s *Service) setIndex(index *Index) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = index
}

// Progress returns how far the index is.
func (s *Service) Progress() Progress { return s.progress.get() }

// session returns a session on an index.
func (s *Service) session(index *Index, store *jets.Store, keep checkpoints) *session {
	return &session{index: index, store: store, keep: keep, retention: s.config.Retention, durable: 2*s.config.WriteEvery + time.Second, progress: &s.progress, log: s.log, missing: &s.missing}
}

// longLife is from when on an end is no sequel of the last one.
const longLife = 2 * time.Minute

// fail shows and logs what is wrong.
func (s *Service) fail(err error, wait time.Duration) {
	trouble, remedy := troubleOf(err, s.config.Dir)
	s.progress.set(StateFailed, trouble, remedy)
	s.log.Warn("search: the index does not work; polling goes on", "err", trouble, "try", remedy, "again_in", wait.Round(time.Second/10))
}

package search

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Modes besides the URL of a remote VictoriaLogs.
const (
	Embedded = "embedded" // a child process
	Off      = "off"
)

// Config is the configuration of a Service.
type Config struct {
	Mode      string          // Embedded, Off, or the URL of a VictoriaLogs
	User      string          // of a remote one; empty: none
	Password  pipeline.Secret // of a remote one
	Dir       string          // of an embedded one's store
	Memory    int64           // bound of an embedded one's caches, in bytes; 0: 256 MiB
	Retention time.Duration   // how far back it goes, by the time of the event; 0: 90 days
	Command   []string        // starts the child: this program and its hidden command

	// Writer makes this process the writer of a remote index: it calls write while no
	// other process of the fleet writes, until ctx ends. Nil: this process only asks a
	// remote index.
	Writer func(ctx context.Context, write func(context.Context)) error
}

// State is what a Service does.
type State string

// The states of a Service.
const (
	StateOff        State = "off"        // there is no index
	StateStarting   State = "starting"   // it does not answer yet
	StateIndexing   State = "indexing"   // it is behind the stream
	StateCurrent    State = "current"    // it follows the stream
	StateRebuilding State = "rebuilding" // it was dropped and is being built again
	StateElsewhere  State = "elsewhere"  // another process writes it
	StateFailed     State = "failed"     // see Trouble
)

// Progress is how far the index is.
type Progress struct {
	State      State
	Rebuilding bool      // until the index has all that the stream holds
	Stream     uint64    // events that the stream holds
	Indexed    uint64    // events that the index holds
	Behind     uint64    // events of the stream that are not indexed yet
	Seq        uint64    // sequence through which the stream is indexed
	Through    time.Time // arrival of the newest indexed event; zero: none
	Refused    Refused   // events that the index does not take
	Trouble    string    // what is wrong; empty: nothing
	Remedy     string    // what to do about it
}

// Refused counts events that VictoriaLogs does not take, by reason.
type Refused struct {
	Old    uint64 `json:"old,omitzero"`    // happened before the retention
	Future uint64 `json:"future,omitzero"` // happened more than two days ahead
	Large  uint64 `json:"large,omitzero"`  // more than 2 MB
	Fields uint64 `json:"fields,omitzero"` // more than 1,000 fields
}

// Total returns the sum.
func (r Refused) Total() uint64 { return r.Old + r.Future + r.Large + r.Fields }

// ErrUnavailable: the index can't be asked now.
var ErrUnavailable = errors.New("the search index is not available")

// Service keeps a process's index. It is safe for concurrent use.
type Service struct {
	config Config
	log    *slog.Logger
}

// New returns a Service.
func New(c Config, log *slog.Logger) *Service {
	return &Service{config: c, log: jets.OrDiscard(log)}
}

// Run keeps the index until ctx ends. Whatever becomes of the index, it returns no
// earlier: trouble is in Progress and in the log.
func (s *Service) Run(ctx context.Context, store *jets.Store) error {
	<-ctx.Done()
	return ctx.Err()
}

// Index returns the index to ask. Its error, which matches ErrUnavailable, says why there
// is none now: off, starting, restarting.
func (s *Service) Index() (*Index, error) { return nil, ErrUnavailable }

// Progress returns how far the index is.
func (s *Service) Progress() Progress { return Progress{State: StateOff} }

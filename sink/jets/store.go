package jets

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// LeastBytes is the least size of SIGNALS: a few pages of common events.
// Positions are evicted along with events, so a smaller one would lose its
// place as fast as it finds it.
const LeastBytes = 64 << 20

// leastMessages is the least count of messages for the same reason.
const leastMessages = 10_000

// defaultAge is how long SIGNALS and DEADLETTER keep their messages.
const defaultAge = 90 * 24 * time.Hour

// deadLetterWindow is how long a dead letter's repeat is recognised.
const deadLetterWindow = 10 * time.Minute

// markerTTL is how long an expired session's marker stays. A watch that was away
// for longer finds the key gone.
const markerTTL = time.Minute

// Config says how streams and buckets are made.
type Config struct {
	Replicas int           // copies; default 1; those with fewer are raised
	MaxBytes int64         // of SIGNALS; default no limit; at least LeastBytes
	MaxAge   time.Duration // of SIGNALS and DEADLETTER; default 90 days
	Log      *slog.Logger  // nil: none

	// Room returns an error while no events should be stored, since there is no room for
	// them: nothing is asked of the orgs, and nothing is lost. It is asked before each
	// batch. nil: there always is.
	Room func() error
}

func (c Config) withDefaults() (Config, error) {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxAge = cmp.Or(c.MaxAge, defaultAge)
	c.MaxBytes = cmp.Or(c.MaxBytes, -1)
	c.Log = orDiscard(c.Log)
	if c.MaxBytes > 0 && c.MaxBytes < LeastBytes {
		return c, fmt.Errorf("max bytes %d holds less than a few pages: give at least %d, or 0 for no limit", c.MaxBytes, LeastBytes)
	}
	return c, nil
}

// openSyncs is how many syncs one process has under way. Each asks the server ten
// things one after another. Thousands at once, at a start, kept it so busy that
// sessions were not renewed in time, all locks were lost, and all began again.
const openSyncs = 64

// Store is everything kept in JetStream. It is safe for concurrent use.
type Store struct {
	Conn *Conn

	config     Config
	publisher  *publisher
	syncs      pipeline.Gate // of syncs under way
	provision  sync.Mutex    // one provisioning at a time in this process
	msgSize    atomic.Int32  // max_msg_size of SIGNALS; -1: none
	letterSize atomic.Int32  // of DEADLETTER
}

// Open makes the streams and buckets that are not there and adds to those that
// are what the sink needs. It never narrows, shrinks or deletes what an operator
// made. It may be called by several processes at once.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{Conn: conn, config: cfg, publisher: newPublisher(conn), syncs: pipeline.Gate{Capacity: openSyncs}}
	return s, s.Ensure(ctx)
}

// Attach returns a Store for a command that works beside the service: nothing is
// made or checked.
func Attach(conn *Conn) *Store { return &Store{Conn: conn, publisher: newPublisher(conn)} }

// Ensure does what Open does, for a stream that was deleted since.
func (s *Store) Ensure(ctx context.Context) error {
	s.provision.Lock()
	defer s.provision.Unlock()
	for _, bucket := range s.buckets() { // CURSORS before SIGNALS, whose start depends on it
		if _, err := s.Conn.ensure(ctx, bucket, s.config.Log); err != nil {
			return err
		}
	}
	if err := s.ensureBudgets(ctx); err != nil { // nobody is refused for want of them
		s.config.Log.Warn("limits of orgs are not shared between processes: "+BucketBudgets+" can't be made", "err", cmp.Or(ctx.Err(), err))
	}
	if err := s.ensureLetters(ctx); err != nil {
		return err
	}
	config, err := s.Conn.ensure(ctx, s.signals(), s.config.Log)
	if err != nil {
		return err
	}
	s.msgSize.Store(config.MaxMsgSize)
	return nil
}

// ensureLetters does it for DEADLETTER alone.
func (s *Store) ensureLetters(ctx context.Context) error {
	letters, err := s.Conn.ensure(ctx, s.deadLetters(), s.config.Log)
	if err != nil {
		return err
	}
	size := letters.MaxMsgSize
	if most := letters.MaxBytes; most > 0 && most < math.MaxInt32 && (size <= 0 || int32(most) < size) {
		size = int32(most) // a larger one would be acknowledged and dropped at once
	}
	s.letterSize.Store(size)
	return nil
}

// mostStored is the largest message that a store on file takes, whatever a server's
// max_payload says: it has room for the subject and its own figures beside it.
// Source: nats-server 2.15.2, server/filestore.go, rlBadThresh.
const mostStored = 32<<20 - 4<<10

// room returns why no events should be stored now.
func (s *Store) room() error {
	if s.config.Room == nil {
		return nil
	}
	return s.config.Room()
}

// limited reports whether SIGNALS has a max_msg_size of its own.
func (s *Store) limited() bool { return s.msgSize.Load() > 0 }

// maxMessage is the largest message that server and SIGNALS take, in bytes of
// headers and data.
func (s *Store) maxMessage() int { return s.limit(&s.msgSize) }

// measure reads what SIGNALS takes by now.
func (s *Store) measure(ctx context.Context) error {
	signals, err := s.Conn.info(ctx, StreamSignals)
	if err != nil {
		return err
	}
	var config struct {
		MaxMsgSize int32 `json:"max_msg_size"`
	}
	if err := json.Unmarshal(signals.Config, &config); err != nil {
		return fmt.Errorf("read max_msg_size of %s: %w", StreamSignals, err)
	}
	s.msgSize.Store(config.MaxMsgSize)
	return nil
}

// maxLetter is the same of DEADLETTER: an element that SIGNALS alone refuses is
// kept whole.
func (s *Store) maxLetter() int { return s.limit(&s.letterSize) }

func (s *Store) limit(stream *atomic.Int32) int {
	limit := min(int(s.Conn.NATS.MaxPayload()), mostStored)
	if size := int(stream.Load()); size > 0 {
		limit = min(limit, size)
	}
	return limit
}

func (s *Store) signals() stream {
	return stream{
		config: jetstream.StreamConfig{
			Name:        StreamSignals,
			Description: "signal-client: events, and the positions that they end at",
			Subjects:    []string{"signals.>", "signal-cursor.>"},
			Storage:     jetstream.FileStorage, Compression: jetstream.S2Compression,
			Discard: jetstream.DiscardOld, MaxAge: s.config.MaxAge, MaxBytes: s.config.MaxBytes,
			MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
			Replicas: s.config.Replicas, AllowAtomicPublish: true, AllowDirect: true,
		},
		firstSeq: s.firstSeq, fit: fitSignals, doubt: s.doubtSignals,
	}
}

func (s *Store) deadLetters() stream {
	return stream{
		config: jetstream.StreamConfig{
			Name:        StreamDeadLetter,
			Description: "signal-client: what could not be published as an event",
			Subjects:    []string{"deadletter.>"},
			Storage:     jetstream.FileStorage, Compression: jetstream.S2Compression,
			Discard: jetstream.DiscardOld, MaxAge: s.config.MaxAge, Duplicates: min(deadLetterWindow, s.config.MaxAge),
			MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxBytes: -1,
			Replicas: s.config.Replicas, AllowDirect: true,
		},
		fit: fitAny, doubt: s.doubtLetters,
	}
}

func (s *Store) buckets() []stream {
	locks := s.bucket(BucketLocks, 1, "who polls what, and who is alive")
	locks.config.AllowMsgTTL, locks.config.SubjectDeleteMarkerTTL = true, markerTTL
	locks.fit = fitLocks
	backfills := s.bucket(BucketBackfills, 1, "what is to be read of the past")
	backfills.config.MaxAge = backfillsKept
	return []stream{
		s.bucket(BucketIntegrations, 5, "the instances to poll"),
		s.bucket(BucketCursors, 10, "copies of the newest positions"),
		locks,
		s.bucket(BucketStatus, 1, "how each instance is doing"),
		backfills,
	}
}

// bucket is a plain key-value bucket as every NATS client makes them.
func (s *Store) bucket(name string, history int64, description string) stream {
	return stream{
		config: jetstream.StreamConfig{
			Name: BucketStream(name), Description: "signal-client: " + description,
			Subjects: []string{BucketSubject(name, ">")},
			Storage:  jetstream.FileStorage, Discard: jetstream.DiscardNew,
			MaxMsgsPerSubject: history, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1,
			Replicas: s.config.Replicas, Duplicates: 2 * time.Minute,
			AllowRollup: true, DenyDelete: true, AllowDirect: true,
		},
		fit: fitAny,
	}
}

// budgetsTTL is how long a value of BUDGETS stands: two of Okta's windows.
const budgetsTTL = 2 * time.Minute

// budgets is the bucket BUDGETS. It is on file: a process that restarts with its own
// server must still wait where an org has said so.
func (s *Store) budgets() stream {
	bucket := s.bucket(BucketBudgets, 1, "what is left of the orgs' rate limits")
	bucket.config.MaxAge = budgetsTTL
	bucket.config.Duplicates = min(bucket.config.Duplicates, budgetsTTL)
	return bucket
}

// ensureBudgets makes the bucket BUDGETS alone.
func (s *Store) ensureBudgets(ctx context.Context) error {
	_, err := s.Conn.ensure(ctx, s.budgets(), s.config.Log)
	return err
}

// provisions reports whether this process makes streams and buckets: a command, which
// Attach serves, does not.
func (s *Store) provisions() bool { return s.config.Replicas > 0 }

// backfillsKept is how long a backfill that ended is kept.
const backfillsKept = 90 * 24 * time.Hour

// Where a new SIGNALS begins, above the highest sequence that CURSORS knows of.
// A cursor trails its stream by less than two pages of 1,000.
const (
	freshPerKey = 2_000
	freshMargin = 1_000_000
)

// freshSpread is the range of chance on top: streams that hear each other's messages,
// of two sites with a line between them, must not come to the same sequences.
const freshSpread = 1_000_000_000_000

// firstSeq is where a new SIGNALS begins: so far above all sequences of the one
// before that no fence of a poller that slept through the change can fit. A
// store that lost CURSORS too begins at the margin: what is below it, which any
// stream made by hand would begin with, stays out of reach all the same.
func (s *Store) firstSeq(ctx context.Context) (uint64, error) {
	highest, keys := uint64(0), map[string]bool{}
	err := s.Conn.each(ctx, BucketCursors, ">", true, func(e kvEntry) {
		keys[e.key] = true
		var cursor struct {
			StreamSeq uint64 `json:"stream_seq"`
		}
		if json.Unmarshal(e.value, &cursor) == nil {
			highest = max(highest, cursor.StreamSeq)
		}
	})
	if err != nil {
		return 0, fmt.Errorf("find where %s begins: %w", StreamSignals, err)
	}
	least := highest + freshPerKey*uint64(len(keys)) + freshMargin
	return least + rand.Uint64N(freshSpread), nil
}

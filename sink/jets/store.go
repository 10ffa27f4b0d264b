package jets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
)

// LeastBytes is the least size of SIGNALS: a few pages of common events. Positions are
// evicted along with events, so a smaller stream would lose positions as fast as it gets
// them.
const LeastBytes = 64 << 20

// leastMessages is the least number of messages, for the same reason.
const leastMessages = 10_000

// defaultAge is how long SIGNALS and DEADLETTER keep their messages.
const defaultAge = 90 * 24 * time.Hour

// deadLetterWindow is the duplicate window of dead letters.
const deadLetterWindow = 10 * time.Minute

// MarkerTTL is how long an expired session's marker stays. A watch that was away longer
// finds the key missing.
const MarkerTTL = time.Minute

// Config is how streams and buckets are created.
type Config struct {
	Kinds    []*pipeline.Kind // of the sources whose events are stored
	Replicas int              // default 1; existing ones with fewer are raised
	MaxBytes int64            // of SIGNALS; default no limit; at least LeastBytes
	MaxAge   time.Duration    // of SIGNALS and DEADLETTER; default 90 days
	Secrets  pipeline.Secrets // of the integrations
	Log      *slog.Logger     // nil: none

	// Room returns an error while there is no room for events: then the orgs get no
	// requests, and nothing is lost. It is called before each batch. nil: there always is
	// room.
	Room func() error
}

func (c Config) withDefaults() (Config, error) {
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.MaxAge = cmp.Or(c.MaxAge, defaultAge)
	c.MaxBytes = cmp.Or(c.MaxBytes, -1)
	c.Log = OrDiscard(c.Log)
	if c.MaxBytes > 0 && c.MaxBytes < LeastBytes {
		return c, fmt.Errorf("max bytes %d holds less than a few pages: give at least %d, or 0 for no limit", c.MaxBytes, LeastBytes)
	}
	return c, nil
}

// openSyncs is how many syncs a process runs at once. Each sends the server about ten
// requests in turn. Thousands at once, at a start, kept the server so busy that sessions
// were not renewed in time, all locks were lost, and everything began again.
const openSyncs = 64

// Store is everything kept in JetStream. It is safe for concurrent use.
type Store struct {
	*shared
	Kinds []*pipeline.Kind // of all sources
	Kind  *pipeline.Kind   // of the instances that are named without one: see Of; the first of Kinds
}

// shared is what the Stores of all kinds have in common.
type shared struct {
	Conn       *Conn
	Secrets    pipeline.Secrets // must not change once it is used
	config     Config
	Publisher  *publisher
	Syncs      pipeline.Gate // of syncs under way
	provision  sync.Mutex    // one provisioning at a time in this process
	msgSize    atomic.Int32  // max_msg_size of SIGNALS; -1: none
	letterSize atomic.Int32  // the same of DEADLETTER
	leftOut    leftOut       // optional buckets that the account has no room for
}

// Open creates the missing streams and buckets and adds to existing ones what the sink
// needs. It never narrows, shrinks or deletes anything that an operator made. Several
// processes may call it at once.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := Attach(conn, cfg.Kinds...).With(cfg.Secrets)
	s.config = cfg
	if s.Syncs.Capacity, err = s.syncs(ctx); err != nil {
		return nil, err
	}
	if err := s.checkPayload(); err != nil {
		return nil, err
	}
	return s, s.Ensure(ctx)
}

// syncs returns how many syncs may run at once: each has a consumer of SIGNALS, and others
// need some, too.
func (s *Store) syncs(ctx context.Context) (int64, error) {
	account, err := s.Conn.Account(ctx)
	if err != nil {
		return 0, err
	}
	tier, err := account.tier(s.config.Replicas)
	if most := tier.Limits.MaxConsumers; most > 0 {
		return max(1, min(openSyncs, int64(most)/2)), err
	}
	return openSyncs, err
}

// Attach returns a Store for a command beside the service: nothing is created or checked.
func Attach(conn *Conn, kinds ...*pipeline.Kind) *Store {
	s := &Store{shared: &shared{Conn: conn, Publisher: newPublisher(conn)}, Kinds: kinds}
	if len(kinds) > 0 {
		s.Kind = kinds[0]
	}
	return s
}

// With gives a new Store the secrets of the process, and returns it.
func (s *Store) With(secrets pipeline.Secrets) *Store {
	s.Secrets = secrets
	return s
}

// Of returns the same Store for instances of a kind.
func (s *Store) Of(kind *pipeline.Kind) *Store {
	return &Store{shared: s.shared, Kinds: s.Kinds, Kind: kind}
}

// InstanceOf returns the instance of a key; a nil kind: the key does not belong to an
// instance of the Store's kinds.
func (s *Store) InstanceOf(key string) (kind *pipeline.Kind, instance string) {
	name, instance, _ := strings.Cut(key, ".")
	for _, k := range s.Kinds {
		if k.Name == name {
			return k, instance
		}
	}
	return nil, ""
}

// Ensure does what Open does, for streams deleted since.
func (s *Store) Ensure(ctx context.Context) error {
	s.provision.Lock()
	defer s.provision.Unlock()
	_, err := s.provisionNeeded(ctx)
	if err != nil {
		return err
	}
	err = s.ensureOptional(ctx, s.budgets()) // no process depends on it
	if err != nil && !errors.Is(err, ErrLeftOut) {
		s.config.Log.Warn("limits of orgs are not shared between processes: "+BucketBudgets+" can't be created", "err", cmp.Or(ctx.Err(), err))
	}
	return nil
}

// EnsureLetters ensures DEADLETTER alone.
func (s *Store) EnsureLetters(ctx context.Context) error {
	letters, err := s.Conn.ensure(ctx, s.deadLetters(), s.sizes(ctx), s.config.Log)
	if err == nil {
		s.noteLetters(letters.config)
	}
	return err
}

// noteLetters notes the largest message that DEADLETTER accepts.
func (s *Store) noteLetters(letters jetstream.StreamConfig) {
	size := letters.MaxMsgSize
	if most := letters.MaxBytes; most > 0 && most < math.MaxInt32 && (size <= 0 || int32(most) < size) {
		size = int32(most) // a larger message would be acknowledged and dropped at once
	}
	s.letterSize.Store(size)
}

// mostStored is the largest message that a file store accepts, whatever the server's
// max_payload: the store adds the subject and its own header. Source: nats-server 2.15.2,
// server/filestore.go, rlBadThresh.
const mostStored = 32<<20 - 4<<10

// Room returns why no events should be stored now.
func (s *Store) Room() error {
	if s.config.Room == nil {
		return nil
	}
	return s.config.Room()
}

// Limited reports whether SIGNALS has a max_msg_size of its own.
func (s *Store) Limited() bool { return s.msgSize.Load() > 0 }

// MaxMessage returns the largest message that server and SIGNALS accept, in bytes of
// headers and data.
func (s *Store) MaxMessage() int { return s.limit(&s.msgSize) }

// Measure reads SIGNALS's current max_msg_size.
func (s *Store) Measure(ctx context.Context) error {
	signals, err := s.Conn.Info(ctx, StreamSignals)
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

// MaxLetter returns the same for DEADLETTER: an element that only SIGNALS refuses is kept
// complete.
func (s *Store) MaxLetter() int { return s.limit(&s.letterSize) }

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
			Description: "signal-client: events, and the positions after them",
			Subjects:    []string{"signals.>", "signal-cursor.>"},
			Storage:     jetstream.FileStorage, Compression: jetstream.S2Compression,
			Discard: jetstream.DiscardOld, MaxAge: s.config.MaxAge, MaxBytes: s.config.MaxBytes,
			MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
			Replicas: s.config.Replicas, AllowAtomicPublish: true, AllowDirect: true,
		},
		firstSeq: s.firstSeq, refuse: fitSignals, warn: s.doubtSignals,
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
		refuse: fitAny, warn: s.doubtLetters,
	}
}

func (s *Store) buckets() []stream {
	locks := s.bucket(BucketLocks, 1, "who polls what, and who is alive")
	locks.config.AllowMsgTTL, locks.config.SubjectDeleteMarkerTTL = true, MarkerTTL
	locks.refuse = fitLocks
	backfills := s.bucket(BucketBackfills, 1, "what is to be read of the past")
	backfills.config.MaxAge = backfillsKept
	integrations := s.bucket(BucketIntegrations, 5, "the instances to poll")
	integrations.value = 1 << 10
	cursors := s.bucket(BucketCursors, 10, "copies of the newest positions")
	cursors.value = 1 << 10
	return []stream{
		integrations,
		cursors,
		locks,
		s.bucket(BucketStatus, 1, "how each instance is doing"),
		backfills,
	}
}

// bucket returns a plain key-value bucket, as every NATS client creates them.
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
		refuse: fitAny,
	}
}

// budgetsTTL is how long a value of BUDGETS is kept: two of Okta's windows.
const budgetsTTL = 2 * time.Minute

// budgets is the bucket BUDGETS. It is stored on file: a process that restarts with its
// embedded server must still wait if an org has said so.
func (s *Store) budgets() stream {
	bucket := s.bucket(BucketBudgets, 1, "what is left of the orgs' rate limits")
	bucket.config.MaxAge = budgetsTTL
	bucket.config.Duplicates = min(bucket.config.Duplicates, budgetsTTL)
	return bucket
}

// RestoreBudgets creates the bucket BUDGETS again and reports whether it exists now. A
// command that uses Attach creates nothing.
func (s *Store) RestoreBudgets(ctx context.Context) bool {
	return s.config.Replicas > 0 && s.ensureOptional(ctx, s.budgets()) == nil
}

// console is the bucket CONSOLE, which holds what users of the console share: sessions,
// which expire by themselves, API tokens and saved searches.
func (s *Store) console() stream {
	bucket := s.bucket(BucketConsole, 1, "sessions and tokens of the console, and its saved searches")
	bucket.config.AllowMsgTTL = true
	return bucket
}

// EnsureConsole ensures the bucket CONSOLE with so many copies; a Store of Attach may do
// so, too. Its error may match ErrLeftOut.
func (s *Store) EnsureConsole(ctx context.Context, replicas int) error {
	bucket := s.console()
	bucket.config.Replicas = cmp.Or(replicas, 1)
	return s.ensureOptional(ctx, bucket)
}

// backfillsKept is how long an ended backfill is kept.
const backfillsKept = 90 * 24 * time.Hour

// First sequence of a new SIGNALS, above the highest in CURSORS. A cursor is less than
// two pages of 1,000 behind its stream.
const (
	freshPerKey = 2_000
	freshMargin = 1_000_000
)

// freshSpread is the range of a random offset: streams of two sites that receive each
// other's messages must not reach the same sequences.
const freshSpread = 1_000_000_000_000

// firstSeq returns the first sequence of a new SIGNALS: so far above all sequences of the
// former stream that no fence of a poller that slept through the change can fit. If
// CURSORS is lost as well, it starts at the margin, above the sequences of any stream
// that was created by hand.
func (s *Store) firstSeq(ctx context.Context) (uint64, error) {
	highest, keys := uint64(0), map[string]bool{}
	err := s.Conn.Each(ctx, BucketCursors, ">", true, func(e KVEntry) {
		keys[e.Key] = true
		var cursor struct {
			StreamSeq uint64 `json:"stream_seq"`
		}
		if json.Unmarshal(e.Value, &cursor) == nil {
			highest = max(highest, cursor.StreamSeq)
		}
	})
	if err != nil {
		return 0, fmt.Errorf("find where %s begins: %w", StreamSignals, err)
	}
	return firstSeqAbove(highest, len(keys)), nil
}

// firstSeqAbove returns the first sequence of a new SIGNALS, given the highest sequence in
// CURSORS and the number of its keys.
func firstSeqAbove(highest uint64, keys int) uint64 {
	return highest + freshPerKey*uint64(keys) + freshMargin + rand.Uint64N(freshSpread)
}

package jets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"
)

// provisionTries is how often streams are created in an account without room: another
// process that creates the same ones changes what is left.
const provisionTries = 3

// provisionNeeded creates or completes what polling needs.
func (s *Store) provisionNeeded(ctx context.Context) (all []Provisioned, err error) {
	for range provisionTries {
		all, err = s.provisionOnce(ctx)
		if !full(err) {
			break
		}
	}
	return all, err
}

func (s *Store) provisionOnce(ctx context.Context) (all []Provisioned, err error) {
	sizes := s.sizes(ctx)
	for _, want := range s.needed() {
		e, err := s.Conn.ensure(ctx, want, sizes, s.config.Log)
		if err != nil {
			return all, s.withMissing(ctx, err)
		}
		switch want.config.Name {
		case StreamDeadLetter:
			s.noteLetters(e.config)
		case StreamSignals:
			s.msgSize.Store(e.config.MaxMsgSize)
		}
		all = append(all, provisioned(want, e))
	}
	return all, nil
}

// withMissing names all missing streams in the error of a user who may not create one.
func (s *Store) withMissing(ctx context.Context, err error) error {
	if !errors.Is(err, ErrMayNotCreate) {
		return err
	}
	var missing []stream
	for _, want := range s.needed() {
		if _, err := s.Conn.Info(ctx, want.config.Name); errors.Is(err, jetstream.ErrStreamNotFound) {
			missing = append(missing, want)
		}
	}
	return fmt.Errorf("missing: %s: %w", namesOf(missing), err)
}

// full reports whether an error of a creation says that the account has no room.
func full(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains([]jetstream.ErrorCode{CodeNoStorage, codeTooManyStreams, codeBytesRequired}, refusal.ErrorCode)
}

// sizes returns the max_bytes of new streams by a plan, which is made when the first is
// asked for.
func (s *Store) sizes(ctx context.Context) func(name string) (int64, error) {
	planned := sync.OnceValues(func() (plan, error) { return s.plan(ctx) })
	return func(name string) (int64, error) {
		p, err := planned()
		if err != nil {
			return 0, err
		}
		return p.sizes[name], p.out[name]
	}
}

// checkPayload refuses a server or account whose messages are too small for common events
// (ErrAccountLimit), and warns of one whose messages are too small for large ones.
func (s *Store) checkPayload() error {
	most := s.Conn.NATS.MaxPayload()
	switch {
	case most < leastPayload:
		return fmt.Errorf("%w: its max_payload is %s, and common events need %s: %s are missing", ErrAccountLimit,
			humanize.IBytes(uint64(most)), humanize.IBytes(leastPayload), humanize.IBytes(uint64(leastPayload-most)))
	case most < commonPayload:
		s.config.Log.Warn("max_payload is small: larger events become dead letters",
			"max_payload", humanize.IBytes(uint64(most)), "missing", humanize.IBytes(uint64(commonPayload-most)))
	}
	return nil
}

// leftOutAgain is how long an optional bucket stays left out before the account is asked
// again.
const leftOutAgain = 10 * time.Minute

// leftOut are the optional buckets that are left out. The zero value has none.
type leftOut struct {
	mu  sync.Mutex
	why map[string]error // by the name of the first stream; logged already
	at  map[string]time.Time
}

// still returns why a bucket is left out, if that was found lately.
func (l *leftOut) still(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at[name]) < leftOutAgain {
		return l.why[name]
	}
	return nil
}

// note notes why a bucket is left out; nil: it is not. It reports whether that is news.
func (l *leftOut) note(name string, why error) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if why == nil {
		delete(l.why, name)
		delete(l.at, name)
		return false
	}
	if l.why == nil {
		l.why, l.at = map[string]error{}, map[string]time.Time{}
	}
	news = l.why[name] == nil
	l.why[name], l.at[name] = why, time.Now()
	return news
}

// ensureOptional ensures optional buckets that belong together. ErrLeftOut: the account
// has no room for them, or this user may not create them. The log says so once.
func (s *Store) ensureOptional(ctx context.Context, group ...stream) error {
	name := group[0].config.Name
	if err := s.leftOut.still(name); err != nil {
		return err
	}
	err := s.tryOptional(ctx, group)
	if !errors.Is(err, ErrLeftOut) {
		s.leftOut.note(name, nil)
		return err
	}
	if s.leftOut.note(name, err) {
		OrDiscard(s.config.Log).Warn("left out: "+namesOf(group), "without", s.without(name), "err", err)
	}
	return err
}

// LeftOut reports whether an optional bucket does not exist because of ErrLeftOut, as far as
// this process knows.
func (s *Store) LeftOut(bucket string) bool { return s.leftOut.still(BucketStream(bucket)) != nil }

func (s *Store) tryOptional(ctx context.Context, group []stream) error {
	sizes := s.sizes(ctx)
	for _, want := range group {
		_, err := s.Conn.ensure(ctx, want, sizes, OrDiscard(s.config.Log))
		if full(err) || errors.Is(err, ErrMayNotCreate) || errors.Is(err, ErrAccountLimit) {
			err = fmt.Errorf("%w: %w", ErrLeftOut, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// without returns what is missing without an optional bucket.
func (s *Store) without(name string) string {
	for _, group := range s.optional() {
		if slices.ContainsFunc(group.streams, func(want stream) bool { return want.config.Name == name }) {
			return group.without
		}
	}
	return ""
}

// Fits checks whether what does not exist yet fits into the account: its error matches
// ErrAccountLimit and names the missing figure. leftOut has the optional buckets for which
// there is no room, by name, and why.
func (c *Conn) Fits(ctx context.Context, cfg Config) (leftOut map[string]error, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{shared: &shared{Conn: c, config: cfg}}
	p, err := s.plan(ctx)
	leftOut = map[string]error{}
	for name, why := range p.out {
		leftOut[strings.TrimPrefix(name, BucketStream(""))] = why
	}
	return leftOut, errors.Join(err, s.checkPayload())
}

// Provisioned is what was done about one stream or bucket.
type Provisioned struct {
	Name   string  `json:"name"` // SIGNALS, DEADLETTER, or the bucket's
	Bucket bool    `json:"bucket"`
	Done   Outcome `json:"done"`
	Detail string  `json:"detail,omitempty"` // what was added, or why it is left out
}

func provisioned(want stream, e ensured) Provisioned {
	name, bucket := strings.CutPrefix(want.config.Name, BucketStream(""))
	return Provisioned{Name: name, Bucket: bucket, Done: e.done, Detail: e.detail}
}

// Provision creates or completes all streams and buckets, the optional ones too, as far as
// the account has room. After an error it returns what was done before.
func Provision(ctx context.Context, conn *Conn, cfg Config) ([]Provisioned, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := Attach(conn, cfg.Kinds...)
	s.config = cfg
	if err := s.checkPayload(); err != nil {
		return nil, err
	}
	all, err := s.provisionNeeded(ctx)
	if err != nil {
		return all, err
	}
	for _, group := range s.optional() {
		sizes := s.sizes(ctx)
		for _, want := range group.streams {
			e, err := conn.ensure(ctx, want, sizes, cfg.Log)
			if full(err) || errors.Is(err, ErrLeftOut) {
				e, err = ensured{done: OutcomeLeftOut, detail: err.Error()}, nil
			}
			if err != nil {
				return all, err
			}
			all = append(all, provisioned(want, e))
		}
	}
	return all, nil
}

// Definition is the configuration of a stream that does not exist, or the changes that an
// existing one lacks.
type Definition struct {
	Name   string                  // SIGNALS, DEADLETTER, or the bucket's
	Stream string                  // the bucket's has the prefix KV_
	Config *jetstream.StreamConfig // for its creation; nil: it exists
	Edit   string                  // flags of nats stream edit that add what it lacks; empty: nothing
	Unfit  error                   // why an existing one can't be used; nil: it can
}

// Define returns all streams and buckets, in the order of their creation, for an
// administrator to create. conn reads what exists and the account's limits; nil: nothing
// exists, and there are no limits. An optional bucket for which the account has no room is
// absent.
func Define(ctx context.Context, conn *Conn, cfg Config) ([]Definition, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{shared: &shared{Conn: conn, config: cfg}}
	streams := s.needed()
	for _, group := range s.optional() {
		streams = append(streams, group.streams...)
	}
	var p plan
	if conn != nil {
		if p, err = s.plan(ctx); err != nil {
			return nil, err
		}
	}
	var all []Definition
	for _, want := range streams {
		d, err := s.define(ctx, want, p)
		if err != nil {
			return nil, err
		}
		if p.out[want.config.Name] == nil || d.Config == nil {
			all = append(all, d)
		}
	}
	return all, nil
}

func (s *Store) define(ctx context.Context, want stream, p plan) (Definition, error) {
	d := Definition{Name: strings.TrimPrefix(want.config.Name, BucketStream("")), Stream: want.config.Name}
	if s.Conn != nil {
		have, err := s.Conn.Info(ctx, want.config.Name)
		if err == nil {
			config, err := have.Configuration()
			d.Edit, d.Unfit = editFlags(lacking(config, want)), want.refuse(config)
			return d, err
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return d, err
		}
	}
	config := want.sized(p.sizes[want.config.Name])
	if want.firstSeq != nil {
		var err error
		if s.Conn == nil {
			config.FirstSeq = firstSeqAbove(0, 0)
		} else if config.FirstSeq, err = want.firstSeq(ctx); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return d, err
		} else if err != nil {
			config.FirstSeq = firstSeqAbove(0, 0)
		}
	}
	d.Config = &config
	return d, nil
}

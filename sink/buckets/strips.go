package buckets

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// Lengths of a Tick and of a Strip.
const (
	TickLength  = 15 * time.Minute
	StripLength = 24 * time.Hour
)

const (
	stripVersion = 1

	stripEvery   = 15 * time.Second // between two looks at what is to be written
	stripWriters = 4                // concurrent writes
	mostSaid     = 500              // bytes of a tick's Said
)

// Strip is an instance's last 24 hours, a value of the bucket HISTORY.
type Strip struct {
	Version int    `json:"version"`
	Ticks   []Tick `json:"ticks"` // oldest first; quarters of an hour in which nothing polled are absent
}

// Tick is the worst state of an instance within a quarter of an hour.
type Tick struct {
	At    time.Time      `json:"at"` // its beginning
	State pipeline.State `json:"state"`
	Said  string         `json:"said,omitempty"` // the error that was shown with the state
}

// worse reports whether a tick is replaced by another of the same time.
func (t Tick) worse(than Tick) bool {
	return t.State.Severity() > than.State.Severity() || t.State == than.State && than.Said == ""
}

// add merges a tick and drops those that are older than 24 hours, and those that are so far
// ahead that a wrong clock made them: they would drop every later one.
func (s *Strip) add(t Tick) {
	s.Ticks = slices.DeleteFunc(s.Ticks, func(have Tick) bool { return have.At.Sub(t.At) >= StripLength })
	i, found := slices.BinarySearchFunc(s.Ticks, t.At, func(have Tick, at time.Time) int { return have.At.Compare(at) })
	switch {
	case !found:
		s.Ticks = slices.Insert(s.Ticks, i, t)
	case t.worse(s.Ticks[i]):
		s.Ticks[i] = t
	}
	newest := s.Ticks[len(s.Ticks)-1].At
	s.Ticks = slices.DeleteFunc(s.Ticks, func(t Tick) bool { return newest.Sub(t.At) >= StripLength })
}

// Strips writes the states of this process's instances to the bucket HISTORY, at most
// every 15 s and at least once a quarter of an hour, and reads them. Several processes
// may write one instance, as they do at a takeover: each adds its own ticks. A kill loses
// the states of at most 15 s. It is safe for concurrent use.
type Strips struct {
	store *jets.Store
	log   *slog.Logger

	mu     sync.Mutex
	drafts map[string]*stripDraft // by the instance's key
}

// stripDraft is the tick of an instance that is under way.
type stripDraft struct {
	tick  Tick
	state pipeline.State // now; it begins the next tick
	said  string
	dirty bool // the tick is not written
}

// NewStrips returns a writer and reader of HISTORY; log may be nil.
func NewStrips(store *jets.Store, log *slog.Logger) *Strips {
	return &Strips{store: store, log: jets.OrDiscard(log), drafts: map[string]*stripDraft{}}
}

// Put records an instance's state. StateUnowned is not recorded: this process gives the
// instance up, and the next holder reports it. It never blocks.
func (s *Strips) Put(status pipeline.Status) {
	key := keyOf(s.store, status.Kind, status.Instance)
	if key == "" || status.State == pipeline.StateUnowned {
		s.Leave(status.Kind, status.Instance)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.drafts[key]
	if d == nil {
		d = new(stripDraft)
		s.drafts[key] = d
	}
	d.state, d.said = status.State, strings.ToValidUTF8(status.LastError[:min(len(status.LastError), mostSaid)], "")
	d.note(time.Now())
}

// note adds the state to the tick of a time.
func (d *stripDraft) note(now time.Time) {
	t := Tick{At: now.UTC().Truncate(TickLength), State: d.state, Said: d.said}
	if !t.At.Equal(d.tick.At) || t.worse(d.tick) && t != d.tick {
		d.tick, d.dirty = t, true
	}
}

// Leave forgets an instance: another process reports it from now on, or it was deleted.
func (s *Strips) Leave(kind *pipeline.Kind, instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.drafts, jets.Key(kind.Name, instance))
}

// Run writes until ctx ends, and then once more.
func (s *Strips) Run(ctx context.Context) error {
	for s.store.Conn.Up(ctx) == nil && pipeline.Sleep(ctx, stripEvery) == nil {
		s.flush(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusGrace)
	defer cancel()
	if s.store.Conn.Connected() {
		s.flush(last)
	}
	return ctx.Err()
}

// flush writes what is new. What can't be written is tried again with the next flush.
func (s *Strips) flush(ctx context.Context) {
	if s.store.LeftOut(jets.BucketHistory) {
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, stripWriters)
	for key, tick := range s.due(time.Now()) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.write(ctx, key, tick); err != nil {
				s.log.Debug("history not written", "instance", slugOf(key), "err", err)
				s.retry(key)
			}
		})
	}
	wg.Wait()
}

// due returns the ticks to write, and takes them as written.
func (s *Strips) due(now time.Time) map[string]Tick {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := map[string]Tick{}
	for key, d := range s.drafts {
		if !d.dirty {
			d.note(now) // a new tick begins with the state that still holds
		}
		if d.dirty {
			due[key], d.dirty = d.tick, false
		}
	}
	return due
}

func (s *Strips) retry(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.drafts[key]; d != nil {
		d.dirty = true
	}
}

// write adds a tick to the stored strip, by compare-and-set: another process may add its
// own at the same time.
func (s *Strips) write(ctx context.Context, key string, tick Tick) error {
	ctx, cancel := context.WithTimeout(ctx, jets.RequestTimeout)
	defer cancel()
	strip, revision, err := s.read(ctx, key)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = s.store.EnsureHistory(ctx)
	}
	if err != nil {
		return err
	}
	strip.Version = stripVersion
	strip.add(tick)
	_, err = s.store.Conn.Put(ctx, jets.BucketHistory, key, revision, &nats.Msg{Data: jets.Encode(strip)})
	return err
}

// Read returns an instance's last 24 hours; empty if nothing is recorded.
func (s *Strips) Read(ctx context.Context, instance string) (Strip, error) {
	var strip Strip
	var err error
	for _, kind := range s.store.Kinds {
		if len(strip.Ticks) == 0 && err == nil {
			strip, _, err = s.read(ctx, jets.Key(kind.Name, instance))
		}
	}
	return strip, jets.IgnoreMissingBucket(err)
}

func (s *Strips) read(ctx context.Context, key string) (Strip, uint64, error) {
	m, err := s.store.Conn.Value(ctx, jets.BucketHistory, key)
	var strip Strip
	if json.Unmarshal(m.Data, &strip) != nil {
		strip = Strip{} // what can't be read is written anew
	}
	return strip, m.Seq, err
}

package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const (
	statusEvery   = 15 * time.Second // between two periodic writes of an instance
	statusWriters = 16               // concurrent writes
	statusRetry   = 5 * time.Second
	statusGrace   = 2 * time.Second // for the last writes, at the end
)

// Statuses writes instances' statuses to the bucket STATUS: a change of state, holder,
// breaker or error at once, everything else at most every 15 s. Only an instance's newest
// status is written; while NATS is away none is. When the process gives an instance up,
// its last status, StateUnowned, is written only if no other process has written since:
// the next holder has the last word, however late this write comes. Its last figures are
// written in the same way. It is safe for concurrent use.
type Statuses struct {
	store *jets.Store
	log   *slog.Logger
	wake  chan struct{}

	mu     sync.Mutex
	drafts map[string]*draft // by the instance's key
	dirty  map[string]*draft // those whose newest status is not written yet
	unfit  bool              // the bucket was missing
}

// draft is an instance's newest status and the last one written.
type draft struct {
	newest  *pipeline.Status // nil: to be deleted
	written pipeline.Status
	stored  uint64    // revision of this process's last write; 0: none
	due     time.Time // not to be written before
	last    bool      // write only if nobody else has written since
}

// NewStatuses returns a writer of this process's statuses; log may be nil.
func NewStatuses(store *jets.Store, log *slog.Logger) *Statuses {
	return &Statuses{store: store, log: jets.OrDiscard(log), wake: make(chan struct{}, 1), drafts: map[string]*draft{}, dirty: map[string]*draft{}}
}

// Put sets an instance's newest status. It never blocks.
func (s *Statuses) Put(status pipeline.Status) {
	s.hand(status.Kind, status.Instance, func(d *draft) {
		if d.newest == nil || telling(d.written) != telling(status) {
			d.due = time.Time{}
		}
		d.newest = &status
	})
}

// Delete deletes an instance's status. It never blocks.
func (s *Statuses) Delete(kind *pipeline.Kind, instance string) {
	s.hand(kind, instance, func(d *draft) { d.newest, d.due = nil, time.Time{} })
}

// Leave hands an instance's status over to the next holder, which continues from these
// figures: a pending periodic write is made now, unless another process has written. It
// never blocks.
func (s *Statuses) Leave(kind *pipeline.Kind, instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.dirty[jets.Key(kind.Name, instance)]; d != nil && time.Until(d.due) > 0 {
		d.due, d.last = time.Time{}, true
		s.rouse()
	}
}

// telling returns the fields whose change is written at once.
func telling(s pipeline.Status) [5]string {
	next := ""
	if s.Next != nil {
		next = s.Next.From + ": " + s.Next.Error
	}
	return [5]string{string(s.State), s.Holder, s.Breaker, s.LastError, next}
}

func (s *Statuses) hand(kind *pipeline.Kind, instance string, change func(*draft)) {
	key := keyOf(s.store, kind, instance)
	if key == "" {
		return
	}
	s.mu.Lock()
	d := s.drafts[key]
	if d == nil {
		d = new(draft)
		s.drafts[key] = d
	}
	d.last = false
	change(d)
	s.dirty[key] = d
	s.mu.Unlock()
	s.rouse()
}

func (s *Statuses) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then, for at most 2 s, what is pending.
func (s *Statuses) Run(ctx context.Context) error {
	for s.store.Conn.Up(ctx) == nil {
		next := s.flush(ctx, false)
		s.mend(ctx)
		if jets.Await(ctx, s.wake, next) != nil {
			break
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusGrace)
	defer cancel()
	if s.store.Conn.Connected() {
		s.flush(last, true)
	}
	return ctx.Err()
}

// mend creates a deleted bucket again; pending writes follow with the next flush.
func (s *Statuses) mend(ctx context.Context) {
	s.mu.Lock()
	unfit := s.unfit
	s.unfit = false
	s.mu.Unlock()
	if unfit {
		s.store.Restore(ctx)
	}
}

// flush writes what is due, or everything, and returns how long to wait for the next; 0:
// until the next Put.
func (s *Statuses) flush(ctx context.Context, all bool) time.Duration {
	var wg sync.WaitGroup
	slots := make(chan struct{}, statusWriters)
	var next time.Duration
	for key, wait := range s.waits() {
		if wait > 0 && !all {
			if next == 0 || wait < next {
				next = wait
			}
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			s.write(ctx, key)
			<-slots
		})
	}
	wg.Wait()
	if next == 0 && len(s.waits()) > 0 {
		next = statusRetry
	}
	return next
}

// waits returns the keys to write, and how long each has to wait.
func (s *Statuses) waits() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	waits := make(map[string]time.Duration, len(s.dirty))
	for key, d := range s.dirty {
		waits[key] = time.Until(d.due)
	}
	return waits
}

func (s *Statuses) write(ctx context.Context, key string) {
	s.mu.Lock()
	d := s.drafts[key]
	status, last, farewell := d.newest, d.stored, d.last
	delete(s.dirty, key)
	s.mu.Unlock()

	m := s.message(key, status)
	if status != nil && (farewell || status.State == pipeline.StateUnowned) {
		if last == 0 {
			return
		}
		jets.Expect(m, last)
	}
	ctx, cancel := context.WithTimeout(ctx, jets.RequestTimeout)
	defer cancel()
	stored, err := s.store.Publisher.Publish(ctx, []*nats.Msg{m})
	s.wrote(key, d, status, stored, err)
}

// message returns the message of a status; nil: of its deletion.
func (s *Statuses) message(key string, status *pipeline.Status) *nats.Msg {
	m := &nats.Msg{Subject: s.store.Conn.PutSubject(jets.BucketStatus, key), Header: nats.Header{}}
	if status == nil {
		m.Header["KV-Operation"] = []string{"DEL"}
	} else {
		m.Data = jets.Encode(status)
	}
	return m
}

// wrote records the result of a write, and when the next one is due.
func (s *Statuses) wrote(key string, d *draft, status *pipeline.Status, stored uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, pipeline.ErrFenced) {
		return // another process has written
	}
	if err != nil {
		s.dirty[key] = d
		d.due = time.Now().Add(statusRetry)
		s.unfit = s.unfit || jets.StreamChanged(err)
		s.log.Debug("status not written", "instance", slugOf(key), "err", err)
		return
	}
	d.written, d.stored, d.due = pipeline.Status{}, stored, time.Now().Add(statusEvery)
	again := s.dirty[key] != nil
	if status != nil {
		d.written = *status
	} else if !again {
		delete(s.drafts, key)
	}
	if again && (d.newest == nil || telling(*d.newest) != telling(d.written)) {
		d.due = time.Time{}
	}
}

// ReadStatus reads an instance's status from the bucket's leader; the zero Status if
// there is none.
func ReadStatus(ctx context.Context, store *jets.Store, instance string) (pipeline.Status, error) {
	key := jets.Key(store.Kind.Name, instance)
	m, err := store.Conn.Value(ctx, jets.BucketStatus, key)
	if err != nil || m.Data == nil {
		return pipeline.Status{}, err
	}
	return StatusOf(store, jets.KVEntry{Key: key, Value: m.Data}), nil
}

// AllStatuses reads the bucket STATUS once, by instance. A status that can't be read says
// so in its LastError.
func AllStatuses(ctx context.Context, store *jets.Store) ([]pipeline.Status, error) {
	var all []pipeline.Status
	var err error
	for _, kind := range store.Kinds {
		err = cmp.Or(err, store.Conn.Each(ctx, jets.BucketStatus, jets.Key(kind.Name, "*"), false, func(e jets.KVEntry) {
			if !e.Gone {
				all = append(all, StatusOf(store, e))
			}
		}))
	}
	slices.SortFunc(all, func(a, b pipeline.Status) int { return strings.Compare(a.Instance, b.Instance) })
	return all, err
}

// StatusOf reads a value of STATUS; one that can't be read says so in its LastError. Its
// Kind is nil if it is none of the store's.
func StatusOf(store *jets.Store, e jets.KVEntry) pipeline.Status {
	var status pipeline.Status
	if err := json.Unmarshal(e.Value, &status); err != nil {
		status = pipeline.Status{Version: 1, State: pipeline.StateNew, LastError: fmt.Sprintf("status can't be read: %v", err)}
	}
	status.Kind, status.Instance = store.InstanceOf(e.Key)
	return status
}

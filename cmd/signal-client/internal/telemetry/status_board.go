package telemetry

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/breaker"
)

// StatusBoard keeps each instance's status, fed by its poll's hooks, and publishes each
// change. It is safe for concurrent use.
type StatusBoard struct {
	Replica func() string                              // may change
	Publish func(pipeline.Status)                      // must not block
	Erase   func(kind *pipeline.Kind, instance string) // must not block
	Leave   func(kind *pipeline.Kind, instance string) // another process reports the instance from now on; nil: none; must not block
	Static  map[string]json.RawMessage                 // configuration of the environment's instances, for STATUS
	Silence time.Duration                              // an instance that is overdue by this counts as stalled; 0: never

	mu   sync.Mutex
	each map[string]*boardEntry // by instance
}

// boardEntry is what the board knows of an instance.
type boardEntry struct {
	held    *pipeline.Status // nil: not held here
	at, due time.Time        // when its poll last reported, and when its next one is due
	failed  pipeline.State   // the state with which polling ended by itself; empty: it did not
	why     string           // the reason for failed
	taken   bool             // another process uses its name for another org
	idle    *pipeline.Status // as reported while it is disabled; nil: it is not
	token   pipeline.Secret  // of idle
	before  *pipeline.Status // as the previous holder left it; nil: a state was entered since
}

// Trace returns the hooks that feed the board.
func (b *StatusBoard) Trace() *pipeline.Trace {
	return &pipeline.Trace{
		Polled: func(instance string, _ pipeline.Page, _ time.Duration) {
			b.note(instance, func(s *pipeline.Status) { s.LastPoll = time.Now(); s.TokenUsedAt = s.LastPoll.UTC() })
		},
		Failed: func(instance string, err error) {
			b.note(instance, func(s *pipeline.Status) { s.LastError = problem.Explain(err) })
		},
		Committed: func(instance string, _ pipeline.Page, r pipeline.Receipt, _ time.Duration) {
			b.note(instance, func(s *pipeline.Status) {
				s.Events += uint64(r.Stored)
				s.LastSuccess, s.LastError = time.Now(), ""
			})
		},
		Moved: b.moved,
		Requested: func(instance, _ string, _ time.Duration) {
			b.note(instance, func(s *pipeline.Status) { s.LastPoll = time.Now() })
		},
		Budget: func(instance string, limit pipeline.RateLimit) {
			b.note(instance, func(s *pipeline.Status) { s.RateLimit = &limit })
		},
		Audited: func(instance string, r pipeline.Audited) {
			b.note(instance, func(s *pipeline.Status) {
				s.Audit = &r
				b.Publish(b.dated(*s))
			})
		},
		Untimed: func(instance string, untimed bool) {
			b.note(instance, func(s *pipeline.Status) { s.Untimed = untimed })
		},
		Rotation: b.rotation,
		Waits:    b.waits,
		Breaker: func(instance, state string, _ bool) {
			b.note(instance, func(s *pipeline.Status) { s.Breaker = state })
		},
	}
}

// moved publishes: it is the last hook of everything that happens to a poll.
func (b *StatusBoard) moved(instance string, state pipeline.State, at pipeline.Position, next time.Time) {
	b.note(instance, func(s *pipeline.Status) {
		b.enter(s, state)
		s.NextPoll = next.UTC()
		s.CompleteThrough, s.LastEvent = at.CompleteThrough, at.LastEvent
		s.Gap, s.Assumed = at.Gap, at.Assumed
		b.each[instance].due = next
		b.Publish(b.dated(*s))
	})
}

// waits publishes StateThrottled: no other hook fires while a poll waits for its budget.
// States that say more (catching up, retrying, refused) are kept.
func (b *StatusBoard) waits(instance string, until time.Time) {
	b.note(instance, func(s *pipeline.Status) {
		b.each[instance].due = until
		switch s.State {
		case pipeline.StateNew, pipeline.StatePolling, pipeline.StateThrottled:
			b.enter(s, pipeline.StateThrottled)
			s.NextPoll = until.UTC()
			b.Publish(b.dated(*s))
		}
	})
}

// rotation publishes, because no other hook may fire for long.
func (b *StatusBoard) rotation(instance string, r pipeline.Rotation) {
	b.note(instance, func(s *pipeline.Status) {
		before := s.Next
		s.Next = nil
		if r.Err != nil {
			s.Next = &pipeline.NextCredential{From: r.From, Error: problem.Explain(r.Err), NextTry: r.Again.UTC()}
		}
		if before != nil || s.Next != nil {
			b.Publish(b.dated(*s))
		}
	})
}

// Held starts an instance's status: this replica holds it now.
func (b *StatusBoard) Held(kind *pipeline.Kind, instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.of(instance) = boardEntry{held: b.fresh(kind, instance), at: time.Now()}
}

// Carry continues the previous holder's status: its count, when its state began, and the
// budget with the credential's cap, until an answer shows it anew.
func (b *StatusBoard) Carry(before pipeline.Status) {
	b.note(before.Instance, func(s *pipeline.Status) {
		s.Events += before.Events
		if s.RateLimit == nil {
			s.RateLimit = before.RateLimit
		}
		s.TokenUsedAt = before.TokenUsedAt
		b.each[before.Instance].before = &before
	})
}

// enter sets a state and when it began: now, or earlier if the previous holder left the
// instance in it.
func (b *StatusBoard) enter(s *pipeline.Status, state pipeline.State) {
	if s.State == state {
		return
	}
	e := b.each[s.Instance]
	s.State, s.StateSince = state, time.Now().UTC()
	if e.before != nil && e.before.State == state && !e.before.StateSince.IsZero() {
		s.StateSince = e.before.StateSince
	}
	e.before = nil
}

// Gone ends an instance's status here: its next holder reports it.
func (b *StatusBoard) Gone(instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(instance)
	if e.held != nil && b.Leave != nil {
		b.Leave(e.held.Kind, instance)
	}
	e.held, e.at, e.due, e.before = nil, time.Time{}, time.Time{}, nil
	b.drop(instance)
}

// Rest is Report of a disabled instance. used is when its API token was last used, by STATUS.
func (b *StatusBoard) Rest(i pipeline.Integration, used time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(i.Instance)
	if e.idle != nil {
		used = e.idle.TokenUsedAt
		if e.token != i.Token { // its age is not known, but somebody has just set it
			used = time.Now().UTC()
		}
	}
	if i.ClientID != "" {
		used = time.Time{}
	}
	s := b.fresh(i.Kind, i.Instance)
	s.Holder, s.Breaker, s.State, s.TokenUsedAt = "", "", pipeline.StateDisabled, used
	e.failed, e.why, e.taken, e.idle, e.token = "", "", false, s, i.Token
	b.Publish(b.dated(*s))
}

// IdleTokens returns when the API tokens of disabled instances were last used, of those that
// are about to be deleted for that.
func (b *StatusBoard) IdleTokens() map[string]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]time.Time{}
	for instance, e := range b.each {
		if e.idle != nil && e.idle.TokenIdle(time.Now()) > 0 {
			all[instance] = e.idle.TokenUsedAt
		}
	}
	return all
}

// Report sets a state that the poll can't report; the empty state: the instance is deleted.
func (b *StatusBoard) Report(i pipeline.Integration, state pipeline.State, err error) {
	instance := i.Instance
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.of(instance)
	e.failed, e.why, e.taken, e.idle, e.token = state, problem.Explain(err), false, nil, pipeline.Secret{}
	if state == pipeline.StateDisabled || state == pipeline.StateUnowned {
		e.failed, e.why = "", ""
	}
	defer b.drop(instance)
	if state == "" {
		e.why = ""
		b.Erase(i.Kind, instance)
		return
	}
	s := e.held
	if s == nil {
		s = b.fresh(i.Kind, instance)
		s.Holder, s.Breaker = "", "" // a disabled or invalid instance has no holder
	}
	b.enter(s, state)
	s.NextPoll, s.LastError = time.Time{}, problem.Explain(err)
	if state == pipeline.StateUnowned {
		s.Holder = ""
	}
	b.Publish(b.dated(*s))
}

// Taken records that another process polls another org under the instance's name.
func (b *StatusBoard) Taken(instance string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(instance).taken = true
}

// NameTaken reports whether another process uses the name of an instance not held here.
func (b *StatusBoard) NameTaken(instance string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.each[instance]
	return e != nil && e.taken
}

// of returns what is known of an instance, to be changed.
func (b *StatusBoard) of(instance string) *boardEntry {
	if b.each == nil {
		b.each = map[string]*boardEntry{}
	}
	if b.each[instance] == nil {
		b.each[instance] = new(boardEntry)
	}
	return b.each[instance]
}

// drop forgets an instance of which nothing is known any more.
func (b *StatusBoard) drop(instance string) {
	if *b.each[instance] == (boardEntry{}) {
		delete(b.each, instance)
	}
}

// State returns an instance's state as a metric label, and whether it is held here. If it
// is not held, the state is the one in which polling ended here, or empty.
func (b *StatusBoard) State(instance string) (state string, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.each[instance]
	switch {
	case e == nil:
		return "", false
	case e.held == nil:
		return Slug(e.failed), false
	case b.Silence > 0 && min(time.Since(e.at), time.Since(e.due)) > b.Silence:
		return stateStalled, true
	}
	return Slug(e.held.State), true
}

// Why returns the instance's last error, in words.
func (b *StatusBoard) Why(instance string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := b.each[instance]; {
	case e == nil:
		return ""
	case e.held != nil:
		return e.held.LastError
	default:
		return e.why
	}
}

// All returns the current status of each held instance, by name.
func (b *StatusBoard) All() []pipeline.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]pipeline.Status, 0, len(b.each))
	for _, instance := range slices.Sorted(maps.Keys(b.each)) {
		if held := b.each[instance].held; held != nil {
			all = append(all, b.dated(*held))
		}
	}
	return all
}

func (b *StatusBoard) fresh(kind *pipeline.Kind, instance string) *pipeline.Status {
	return &pipeline.Status{Kind: kind, Version: 1, Instance: instance, State: pipeline.StateNew, StateSince: time.Now().UTC(), Holder: b.Replica(), Breaker: breaker.Closed, Environment: b.Static[instance]}
}

// note changes the status of a held instance.
func (b *StatusBoard) note(instance string, change func(*pipeline.Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.each[instance]; e != nil && e.held != nil {
		e.at = time.Now()
		change(e.held)
	}
}

// dated returns the status as of now. A poll that is due is dropped: it runs, or waits.
func (b *StatusBoard) dated(s pipeline.Status) pipeline.Status {
	now := time.Now().UTC()
	s.UpdatedAt = now
	if !s.NextPoll.After(now) {
		s.NextPoll = time.Time{}
	}
	s.LastPoll, s.LastSuccess = s.LastPoll.UTC(), s.LastSuccess.UTC()
	if !s.CompleteThrough.IsZero() {
		s.LagSeconds = max(0, now.Sub(s.CompleteThrough).Seconds())
	}
	if s.RateLimit != nil {
		s.RateLimit = new(*s.RateLimit)
	}
	return s
}

package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// failure is a poll that returned by itself.
type failure struct {
	order *order
	text  string
	at    time.Time
}

// fail says why a poll returned by itself.
func (m *member) fail(o *order, err error) {
	state := StateRetrying
	switch {
	case err == nil:
		err = errors.New("poll ended by itself")
	case errors.Is(err, ErrCredential):
		state = StateRefused
	case errors.Is(err, ErrConfig), errors.Is(err, ErrNewer):
		state = StateConfig
	}
	said := "poll stopped"
	if state == StateConfig {
		said = "can't be polled from here"
	}
	m.log.Log(context.Background(), m.loud(o, err), said, "err", err)
	m.Report(m.name, state, err)
}

// refuse says why the instance can't be polled here at all, while another polls it.
func (m *member) refuse(o *order, err error) {
	m.log.Log(context.Background(), m.loud(o, err), "not polled here", "err", err)
	m.Report(m.name, StateConfig, err)
	m.leave(o, err)
}

// repeated is how often an error that stays the same is said aloud.
const repeated = time.Hour

// loud is how loudly an error is logged: the same one, at each try, but rarely.
func (m *member) loud(o *order, err error) slog.Level {
	now := failure{o, err.Error(), time.Now()}
	if now.order == m.said.order && now.text == m.said.text && now.at.Sub(m.said.at) < repeated {
		return slog.LevelDebug
	}
	m.said = now
	return slog.LevelError
}

// A process leaves to others what it can't poll: declining at first, then twice
// as long each time that it has tried again, since with each try it takes the
// instance from the one who can.
const (
	unableFor     = time.Minute // of refusals, before that
	declining     = 5 * time.Minute
	longDeclining = time.Hour
)

// decline leaves the instance to others after a poll that returned by itself, if it
// is for a reason that they may not have: a file that this machine alone can't read,
// or a program that is too old.
func (m *member) decline(o *order, err error) {
	if errors.Is(err, ErrConfig) || errors.Is(err, ErrNewer) {
		m.leave(o, err)
	}
}

// able takes note of whether the org can be polled from here: err says why not.
// What can't be for unableFor is left to others, for a reason that they may not
// have: no route, a token of which this machine has an old copy, an address outside
// the org's network zone.
func (m *member) able(o *order, err error) {
	switch {
	case err == nil:
		m.unable = time.Time{}
		m.resume()
	case m.unable.IsZero():
		m.unable = time.Now()
	case time.Since(m.unable) >= unableFor:
		m.leave(o, err)
	}
}

// leave declines the instance. It lasts at least until the org may be asked again.
func (m *member) leave(o *order, err error) {
	now := time.Now()
	if !now.Before(m.until) {
		m.patience = min(max(2*m.patience, declining), longDeclining)
	}
	m.until = now.Add(m.patience)
	if early, ok := errors.AsType[*NotBefore](err); ok && early.At.After(m.until) {
		m.until = early.At
	}
	level := slog.LevelInfo
	if m.declined == o || m.said.order == o && m.said.text == err.Error() {
		level = slog.LevelDebug // it was said
	}
	m.log.Log(context.Background(), level, "left to other processes, should they be able to poll it",
		"until", m.until.UTC().Truncate(time.Second), "err", err)
	m.declined = o
	m.Locks.Decline(m.name, m.until, err.Error())
}

// accept begins to follow an order. What became of another one says nothing of it,
// nor does what an attempt some time ago found, unless the order was declined for that.
func (m *member) accept(o *order) {
	if m.declined != o {
		m.unable = time.Time{}
		m.resume()
	}
}

// resume takes back that the instance is declined.
func (m *member) resume() {
	if m.declined != nil {
		m.declined, m.until, m.patience = nil, time.Time{}, 0
		m.Locks.Decline(m.name, time.Time{}, "")
	}
}

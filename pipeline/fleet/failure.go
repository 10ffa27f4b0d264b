package fleet

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// failure is the error of a poll that returned by itself.
type failure struct {
	order *assignment
	text  string
	at    time.Time
}

// fail logs and reports why a poll returned by itself.
func (m *member) fail(o *assignment, err error) {
	state := pipeline.StateRetrying
	switch {
	case err == nil:
		err = errors.New("poll ended by itself")
	case errors.Is(err, pipeline.ErrCredential):
		state = pipeline.StateRefused
	case errors.Is(err, pipeline.ErrConfig), errors.Is(err, pipeline.ErrNewer):
		state = pipeline.StateConfig
	}
	said := "poll stopped"
	if state == pipeline.StateConfig {
		said = "can't be polled from here"
	}
	m.log.Log(context.Background(), m.loud(o, err), said, "err", err)
	m.Report(o.Integration, state, err)
}

// refuse reports that another process polls another org under the instance's name.
func (m *member) refuse(o *assignment, err error) {
	m.log.Log(context.Background(), m.loud(o, err), "not polled here", "err", err)
	m.Report(o.Integration, pipeline.StateConfig, err)
	m.leave(o, err)
}

// repeated is how often an unchanged error is logged at level error.
const repeated = time.Hour

// loud returns the level for an error: debug for one that was logged within the last hour.
func (m *member) loud(o *assignment, err error) slog.Level {
	now := failure{o, err.Error(), time.Now()}
	if now.order == m.said.order && now.text == m.said.text && now.at.Sub(m.said.at) < repeated {
		return slog.LevelDebug
	}
	m.said = now
	return slog.LevelError
}

// How long an instance is declined: 5 min, doubling to 1 h with each failed retry,
// because each retry takes the lock from a process that can poll it.
const (
	unableFor     = time.Minute // refusals for this long are declined
	declining     = 5 * time.Minute
	longDeclining = time.Hour
)

// decline declines the instance after an error that other processes may not have: a file
// that only this machine can't read, or a program that is too old.
func (m *member) decline(o *assignment, err error) {
	if errors.Is(err, pipeline.ErrConfig) || errors.Is(err, pipeline.ErrNewer) {
		m.leave(o, err)
	}
}

// able records whether the org can be polled from here; err says why not. After unableFor
// the instance is declined, because other processes may not have the problem: no route,
// an old copy of a token, an address outside the org's network zone.
func (m *member) able(o *assignment, err error) {
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

// leave declines the instance, at least until the org may be asked again.
func (m *member) leave(o *assignment, err error) {
	now := time.Now()
	if !now.Before(m.until) {
		m.patience = min(max(2*m.patience, declining), longDeclining)
	}
	m.until = now.Add(m.patience)
	if early, ok := errors.AsType[*pipeline.NotBefore](err); ok {
		m.until = pipeline.Later(m.until, early.At)
	}
	level := slog.LevelInfo
	if m.declined == o || m.said.order == o && m.said.text == err.Error() {
		level = slog.LevelDebug // logged before
	}
	m.log.Log(context.Background(), level, "left to other processes, should they be able to poll it",
		"until", m.until.UTC().Truncate(time.Second), "err", err)
	m.declined = o
	m.Locks.Decline(m.name, m.until, err.Error())
}

// accept begins to follow an order. It forgets failures of earlier orders and attempts,
// unless this order was declined because of them.
func (m *member) accept(o *assignment) {
	if m.declined != o {
		m.unable = time.Time{}
		m.resume()
	}
}

// resume withdraws the decline.
func (m *member) resume() {
	if m.declined != nil {
		m.declined, m.until, m.patience = nil, time.Time{}, 0
		m.Locks.Decline(m.name, time.Time{}, "")
	}
}

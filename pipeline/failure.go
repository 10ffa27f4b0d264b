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
	m.log.Log(context.Background(), m.loud(o, err), "poll stopped", "err", err)
	m.Report(m.name, state, err)
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
	declining     = 5 * time.Minute
	longDeclining = time.Hour
)

// decline leaves the instance to others, if it is for a reason that they may not
// have: a file that this machine alone can't read, or a program that is too old.
func (m *member) decline(o *order, err error) {
	if !errors.Is(err, ErrConfig) && !errors.Is(err, ErrNewer) {
		return
	}
	now := time.Now()
	if !now.Before(m.until) {
		m.patience = min(max(2*m.patience, declining), longDeclining)
	}
	m.declined, m.until = o, now.Add(m.patience)
	m.Locks.Decline(m.name, m.until)
	m.log.Info("left to other processes, should they be able to poll it", "until", m.until.UTC().Truncate(time.Second))
}

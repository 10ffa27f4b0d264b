package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// logger passes nats-server's log on to slog; its notices become debug messages.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	first error // what the server called fatal; by default it would end the process
}

const said = "nats-server"

// plaintext warns of passwords in the server's configuration file. There is no such file.
const plaintext = "Plaintext passwords detected, use nkeys or bcrypt"

func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug(said, "text", fmt.Sprintf(format, v...))
}
func (l *logger) Warnf(format string, v ...any) {
	if format == plaintext {
		return
	}
	l.log.Warn(said, "text", fmt.Sprintf(format, v...))
}
func (l *logger) Errorf(format string, v ...any) { l.log.Warn(said, "text", fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any) {}
func (l *logger) Tracef(format string, v ...any) {}

func (l *logger) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Warn(said, "text", text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = errors.New(text)
	}
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

package config

import (
	"errors"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// Types of variables besides the basic ones. Each error says what the type accepts.

// Duration is a time.Duration that can be written in days, too, such as 90d.
type Duration time.Duration

// UnmarshalText parses a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := pipeline.ParseDuration(string(text))
	if err != nil {
		return errors.New("it must be a duration, such as 30s, 5m or 90d")
	}
	*d = Duration(parsed)
	return nil
}

// String returns the duration as people write it: 5m, not 5m0s.
func (d Duration) String() string { return term.ExactSpan(time.Duration(d)) }

// syncEvery is how often the embedded server syncs its files; 0: at each write.
type syncEvery time.Duration

// UnmarshalText parses "always" or an interval.
func (s *syncEvery) UnmarshalText(text []byte) error {
	if string(text) == "always" {
		*s = 0
		return nil
	}
	d, err := pipeline.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return errors.New("it must be 'always', or an interval such as 2m")
	}
	*s = syncEvery(d)
	return nil
}

type byteSize int64

// UnmarshalText parses a number of bytes, with or without a unit.
func (b *byteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(strings.TrimSpace(string(text)))
	if err != nil || n > math.MaxInt64 {
		return errors.New("it must be a number of bytes, such as 200GiB")
	}
	*b = byteSize(n)
	return nil
}

// yes is a choice.
type yes bool

// UnmarshalText parses 1 or 0, and the words of strconv.ParseBool.
func (y *yes) UnmarshalText(text []byte) error {
	set, err := strconv.ParseBool(string(text))
	if err != nil {
		return errors.New("it must be 1 or 0")
	}
	*y = yes(set)
	return nil
}

// consoleMode is whether the console is served; empty: it is not.
type consoleMode string

const (
	consoleAuto consoleMode = "auto"
	// ConsoleOn serves the console beside any NATS.
	ConsoleOn  consoleMode = "on"
	consoleOff consoleMode = "off"
)

// UnmarshalText parses a mode.
func (m *consoleMode) UnmarshalText(text []byte) error {
	switch consoleMode(text) {
	case consoleAuto, ConsoleOn, consoleOff:
		*m = consoleMode(text)
		return nil
	}
	return errors.New("it must be auto, on or off")
}

type logFormat string

const (
	logConsole logFormat = "console"
	logJSON    logFormat = "json"
)

// UnmarshalText parses a format.
func (f *logFormat) UnmarshalText(text []byte) error {
	switch logFormat(text) {
	case logConsole, logJSON:
		*f = logFormat(text)
		return nil
	}
	return errors.New("it must be console or json")
}

// logLevel is the lowest level that is logged.
type logLevel slog.Level

// Level implements slog.Leveler.
func (l logLevel) Level() slog.Level { return slog.Level(l) }

// UnmarshalText parses a level's name.
func (l *logLevel) UnmarshalText(text []byte) error {
	switch name := strings.ToLower(string(text)); name {
	case "debug", "info", "warn", "error":
		return (*slog.Level)(l).UnmarshalText(text)
	case "warning":
		*l = logLevel(slog.LevelWarn)
		return nil
	}
	return errors.New("it must be debug, info, warn or error")
}

// kind returns the name of a type, for help.
func kind(v any) string {
	switch v.(type) {
	case Duration, syncEvery:
		return "duration"
	case int:
		return "number"
	case byteSize:
		return "size"
	}
	return "text"
}

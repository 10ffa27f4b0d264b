package cli

import (
	"errors"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// TimeFlag is a flag that takes a time: an age such as 90m, 24h or 7d, a date such as
// 2026-11-20, or a time in RFC 3339. The zero moment was not given.
type TimeFlag struct {
	Text string
	age  time.Duration
	at   time.Time // zero: text is an age
}

// Set parses the flag's value.
func (m *TimeFlag) Set(text string) error {
	*m = TimeFlag{Text: text}
	if at, err := pipeline.ParseTime(text); err == nil {
		m.at = at
		return nil
	}
	age, err := pipeline.ParseDuration(text)
	if err != nil || age < 0 {
		*m = TimeFlag{}
		return errors.New("it must be an age, such as 90m, 24h or 7d, or a time, such as 2026-11-20 or 2026-11-20T08:00:00Z")
	}
	m.age = age
	return nil
}

// String returns the flag's value.
func (m *TimeFlag) String() string { return m.Text }

// Type returns the type shown in help.
func (m *TimeFlag) Type() string { return "time" }

// IsZero reports whether the flag was not given.
func (m *TimeFlag) IsZero() bool { return m.Text == "" }

// At returns the time, relative to now.
func (m *TimeFlag) At(now time.Time) time.Time {
	if m.at.IsZero() {
		return now.Add(-m.age).UTC()
	}
	return m.at
}

// DurationFlag is a flag that takes a duration, with days.
type DurationFlag time.Duration

// Set parses the flag's value.
func (f *DurationFlag) Set(text string) error {
	d, err := pipeline.ParseDuration(text)
	*f = DurationFlag(d)
	return err
}

// String returns the flag's value.
func (f *DurationFlag) String() string { return time.Duration(*f).String() }

// Type returns the type shown in help.
func (f *DurationFlag) Type() string { return "duration" }

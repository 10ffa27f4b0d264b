package main

import (
	"errors"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// moment is the value of a flag that names a time: an age before now, such as 90m,
// 24h or 7d, a day, such as 2026-11-20, or a time in RFC 3339. The zero moment was
// not given.
type moment struct {
	text string
	age  time.Duration
	at   time.Time // zero: the age counts
}

// Set reads the flag's value.
func (m *moment) Set(text string) error {
	*m = moment{text: text}
	if at, err := pipeline.ParseTime(text); err == nil {
		m.at = at
		return nil
	}
	age, err := pipeline.ParseDuration(text)
	if err != nil || age < 0 {
		*m = moment{}
		return errors.New("it is an age, such as 90m, 24h or 7d, or a time, such as 2026-11-20 or 2026-11-20T08:00:00Z")
	}
	m.age = age
	return nil
}

// String is the flag's value.
func (m *moment) String() string { return m.text }

// Type names the flag's value in help texts.
func (m *moment) Type() string { return "time" }

// IsZero reports whether the flag was not given.
func (m *moment) IsZero() bool { return m.text == "" }

// At is the time that is meant, seen from now.
func (m *moment) At(now time.Time) time.Time {
	if m.at.IsZero() {
		return now.Add(-m.age).UTC()
	}
	return m.at
}

// durationFlag is the value of a flag that takes a duration, with days.
type durationFlag time.Duration

// Set reads the flag's value.
func (f *durationFlag) Set(text string) error {
	d, err := pipeline.ParseDuration(text)
	*f = durationFlag(d)
	return err
}

// String is the flag's value.
func (f *durationFlag) String() string { return time.Duration(*f).String() }

// Type names the flag's value in help texts.
func (f *durationFlag) Type() string { return "duration" }

package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// factor is the value of --speed: 10x. 0: full speed.
type factor float64

// Set parses the flag's value.
func (f *factor) Set(text string) error {
	x, err := strconv.ParseFloat(strings.TrimSuffix(strings.ToLower(text), "x"), 64)
	if err != nil || !(x > 0) || x > 1e9 {
		return errors.New("it must be a factor above 0, such as 1x or 10x")
	}
	*f = factor(x)
	return nil
}

// String returns the flag's value.
func (f *factor) String() string {
	if *f == 0 {
		return ""
	}
	return fmt.Sprintf("%gx", float64(*f))
}

// Type returns the type shown in help.
func (f *factor) Type() string { return "factor" }

// pace is the pace of a replay. The zero value is full speed.
type pace struct {
	rate  float64 // events per second; 0: unlimited
	speed factor

	start time.Time // when the first event was replayed
	first time.Time // when it happened
	count float64
}

// Wait returns how long to wait before an event that happened at a time.
func (t *pace) Wait(at, now time.Time) time.Duration {
	if t.rate == 0 && t.speed == 0 {
		return 0
	}
	if t.count++; t.count == 1 {
		t.start, t.first = now, at
	}
	due := t.start
	if t.rate > 0 {
		due = due.Add(time.Duration((t.count - 1) / t.rate * float64(time.Second)))
	} else {
		due = due.Add(time.Duration(float64(at.Sub(t.first)) / float64(t.speed)))
	}
	return due.Sub(now)
}

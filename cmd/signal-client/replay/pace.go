package replay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// factor is the value of --speed: 10x. 0: as fast as it goes.
type factor float64

// Set reads the flag's value.
func (f *factor) Set(text string) error {
	x, err := strconv.ParseFloat(strings.TrimSuffix(strings.ToLower(text), "x"), 64)
	if err != nil || !(x > 0) || x > 1e9 {
		return errors.New("it is a factor above 0, such as 1x or 10x")
	}
	*f = factor(x)
	return nil
}

// String is the flag's value.
func (f *factor) String() string {
	if *f == 0 {
		return ""
	}
	return fmt.Sprintf("%gx", float64(*f))
}

// Type names the flag's value in help texts.
func (f *factor) Type() string { return "factor" }

// pace is how fast events are brought. Its zero value is as fast as it goes.
type pace struct {
	rate  float64 // events a second; 0: any
	speed factor

	start time.Time // when the first one was
	first time.Time // and when it happened
	count float64
}

// Wait is how long to wait before an event that happened at a time.
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

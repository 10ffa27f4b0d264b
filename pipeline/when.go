package pipeline

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// One grammar for times in INTEGRATIONS, variables and flags.

// ParseDuration is time.ParseDuration with days, alone or before the rest, such as 90d or
// 1d12h; in any case, and with surrounding space.
func ParseDuration(text string) (time.Duration, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "0", text
	}
	n, err := strconv.ParseUint(days, 10, 16)
	var d time.Duration
	if err == nil && (rest != "" || !found) {
		d, err = time.ParseDuration(rest)
	}
	if err != nil || found && d < 0 {
		return 0, fmt.Errorf("is no duration: %.60q", text)
	}
	return time.Duration(n)*24*time.Hour + d, nil
}

// ParseTime reads a time in RFC 3339, or a date such as 2026-11-20: midnight UTC.
func ParseTime(text string) (time.Time, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("is no time: %.60q", text)
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Earlier returns the earlier of two times.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

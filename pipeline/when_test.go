package pipeline

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * 24 * time.Hour, "1d12h": 36 * time.Hour, " 7D ": 7 * 24 * time.Hour, "0d": 0, "0": 0,
		"5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "-1h": -time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1d-1h", "1.5d", "7", "7x", "1d1d", "99999d", "yesterday", "2026-11-20"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-20": "2026-11-20T00:00:00Z", " 2026-11-20t08:00:00+01:00": "2026-11-20T07:00:00Z",
		"20.11.2026": "", "24h": "", "": "",
	} {
		at, err := ParseTime(text)
		if got := at.Format(time.RFC3339); err != nil && want != "" || err == nil && got != want {
			t.Errorf("%q: got %v, %v; want %s", text, got, err, want)
		}
	}
}

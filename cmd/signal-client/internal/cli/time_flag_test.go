package cli

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90m": "2026-11-22T10:30:00Z", "24h": "2026-11-21T12:00:00Z", "7d": "2026-11-15T12:00:00Z", "0s": "2026-11-22T12:00:00Z",
		"2026-11-20": "2026-11-20T00:00:00Z", "2026-11-20T08:00:00Z": "2026-11-20T08:00:00Z",
		"2026-11-20t08:00:00+01:00": "2026-11-20T07:00:00Z",
		"":                          "error", "yesterday": "error", "-1h": "error", "7x": "error", "d": "error", "20.11.2026": "error",
	} {
		var m TimeFlag
		got := "error"
		if m.Set(text) == nil {
			got = m.At(now).Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		if m.IsZero() != (want == "error") {
			t.Errorf("%q: IsZero is %v", text, m.IsZero())
		}
	}
}

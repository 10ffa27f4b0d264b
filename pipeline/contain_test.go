package pipeline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

// What panics is called again, and the log says where it happened.
func TestContainRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		before, calls := Panics(), 0
		secret := NewSecret("s3cret")
		done := errors.New("done")
		err := ContainRun(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), "test", func(context.Context) error {
			if calls++; calls < 3 {
				panicWith(secret.Reveal(), secret)
			}
			return done
		})
		if !errors.Is(err, done) || calls != 3 || Panics() != before+2 {
			t.Errorf("%v after %d calls, %d panics", err, calls, Panics()-before)
		}
		if text := log.String(); !strings.Contains(text, "panicWith") || strings.Contains(text, "s3cret") {
			t.Errorf("the log: %s", text)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := ContainRun(ctx, slog.New(slog.DiscardHandler), "test", func(context.Context) error { cancel(); panic("x") }); !errors.Is(err, ErrPanic) {
			t.Errorf("at the end: %v", err)
		}
	})
}

//go:noinline
func panicWith(_ string, s Secret) { panic(s) }

package pipeline

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// waits returns the next n waits of a backoff.
func waits(b *Backoff, n int) []time.Duration {
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = b.Next()
	}
	return out
}

func TestBackoffStaysBetweenItsFloorAndAGrowingCeiling(t *testing.T) {
	lowest := Backoff{Rand: func() float64 { return 0 }}
	highest := Backoff{Rand: func() float64 { return 1 }}
	ceilings := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second,
		8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
	for i, want := range ceilings {
		if got := lowest.Next(); got != 250*time.Millisecond {
			t.Errorf("least wait %d = %v, want 250ms", i, got)
		}
		if got := highest.Next(); got != want {
			t.Errorf("longest wait %d = %v, want %v", i, got, want)
		}
	}
	highest.Reset()
	if got := highest.Next(); got != ceilings[0] {
		t.Errorf("after Reset = %v, want %v", got, ceilings[0])
	}
}

func TestBackoffKeepsItsOwnBounds(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 3 * time.Second}
	for i, d := range waits(&b, 200) {
		if d < time.Second || d > 3*time.Second {
			t.Fatalf("wait %d = %v, want 1s to 3s", i, d)
		}
	}
	inverted := Backoff{Min: time.Minute, Max: time.Second}
	for _, d := range waits(&inverted, 5) {
		if d != time.Minute {
			t.Fatalf("a Max below Min gave %v, want Min", d)
		}
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("changed")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			_ = Sleep(t.Context(), time.Minute)
			cancel(why)
		}()
		start := time.Now()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, why) {
			t.Errorf("Sleep = %v, want the cause", err)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("slept %v, want 1m", took)
		}
		if err := Sleep(ctx, 0); !errors.Is(err, why) {
			t.Errorf("Sleep in an ended context = %v, want the cause", err)
		}
		if err := Sleep(t.Context(), -1); err != nil {
			t.Errorf("Sleep(-1) = %v", err)
		}
	})
}

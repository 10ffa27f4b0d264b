package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// ErrPanic is matched by the error of a function that panicked.
var ErrPanic = errors.New("panic")

// panics counts the process's contained panics.
var panics atomic.Uint64

// Panics returns how many panics Contain has contained in this process.
func Panics() uint64 { return panics.Load() }

// Contain calls f. A panic of it is logged with its stack and counted, and becomes an error
// that matches ErrPanic: what is for people, such as a page or a notification, must not end
// the polls of the same process. Of the arguments of functions a stack shows addresses and
// lengths only, so it holds no secret.
//
// Not for what stores events: there a panic ends the process, and a restart reads from the
// stream where it was.
func Contain(log *slog.Logger, what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			panics.Add(1)
			log.Error("a fault in the program was contained; please report it", "in", what, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: %w: %v", what, ErrPanic, v)
		}
	}()
	return f()
}

// ContainRun is Contain for what runs until ctx ends: after a panic it is called again, after a
// growing pause.
func ContainRun(ctx context.Context, log *slog.Logger, what string, run func(context.Context) error) error {
	pauses := Backoff{Min: time.Second, Max: time.Minute}
	for {
		err := Contain(log, what, func() error { return run(ctx) })
		if !errors.Is(err, ErrPanic) || Sleep(ctx, pauses.Next()) != nil {
			return err
		}
	}
}

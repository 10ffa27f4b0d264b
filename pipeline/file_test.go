package pipeline

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A read that hangs blocks nobody: callers give up in time, or when their order changes,
// and a path is read by one at a time.
func TestReadThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		back := make(chan struct{})
		r := fileReads{each: map[string]*fileRead{}, from: func(string, int64) ([]byte, error) {
			begun.Add(1)
			<-back
			return []byte("00abc"), nil
		}}
		for range 3 {
			began := time.Now()
			if _, err := r.read(t.Context(), "/net/token", 10); err == nil || !strings.Contains(err.Error(), "/net/token") {
				t.Errorf("a read that hangs gave %v", err)
			}
			if took := time.Since(began); took > 2*fileTime {
				t.Errorf("it took %s to give up", took)
			}
		}
		errChanged := errors.New("integration changed")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errChanged) })
		if _, err := r.read(ctx, "/net/token", 10); !errors.Is(err, errChanged) {
			t.Errorf("a new order did not end the wait: %v", err)
		}
		if n := begun.Load(); n != 1 {
			t.Errorf("%d reads of one path at once", n)
		}
		close(back)
		if data, err := r.read(t.Context(), "/net/token", 10); string(data) != "00abc" {
			t.Errorf("with the file back: %q, %v", data, err)
		}
	})
}

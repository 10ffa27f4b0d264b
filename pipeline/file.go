package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// fileTime is the longest time that reading a file may take.
const fileTime = 5 * time.Second

// ReadFile reads a file, at most most bytes of it, within five seconds and until ctx
// ends. A network file system that is away blocks a read for good: it continues in the
// background, one per path, and later calls wait for that same read. A pipe is read until
// its writer closes it.
func ReadFile(ctx context.Context, path string, most int64) ([]byte, error) {
	return reads.read(ctx, path, most)
}

// reads are the process's reads in progress, so that no path is read twice at once.
var reads = fileReads{from: read, each: map[string]*fileRead{}}

type fileReads struct {
	from func(path string, most int64) ([]byte, error)

	mu   sync.Mutex
	each map[string]*fileRead // by path
}

// fileRead is a read in progress.
type fileRead struct {
	done chan struct{} // closed when data and err are set
	data []byte
	err  error
}

func (all *fileReads) read(ctx context.Context, path string, most int64) ([]byte, error) {
	r := all.of(path, most)
	timer := time.NewTimer(fileTime + time.Second) // readPipe's own error comes first and says more
	defer timer.Stop()
	select {
	case <-r.done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, fmt.Errorf("read %s: no answer within %s (is it on a network file system that is away?)", path, fileTime)
	}
}

// of returns the read of a path that is in progress, or starts one.
func (all *fileReads) of(path string, most int64) *fileRead {
	all.mu.Lock()
	defer all.mu.Unlock()
	if r := all.each[path]; r != nil {
		return r
	}
	r := &fileRead{done: make(chan struct{})}
	all.each[path] = r
	go func() {
		r.data, r.err = all.from(path, most)
		all.mu.Lock()
		delete(all.each, path)
		all.mu.Unlock()
		close(r.done)
	}()
	return r
}

func read(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return readPipe(path, most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// readPipe reads a file that is not a regular one. Opening a pipe without a writer would
// block, so it is opened without blocking.
func readPipe(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	end := time.Now().Add(fileTime)
	_ = f.SetReadDeadline(end) // what takes no deadline does not block
	for {
		data, err := io.ReadAll(io.LimitReader(f, most))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), len(data) == 0 && err == nil && time.Now().After(end):
			return nil, fmt.Errorf("read %s: it is a pipe, and nobody has written to it and closed it within %s (name a file instead)", path, fileTime)
		case err != nil, len(data) > 0:
			return data, err
		}
		time.Sleep(20 * time.Millisecond) // no writer yet
	}
}

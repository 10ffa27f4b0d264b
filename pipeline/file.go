package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	return ReadFileBelow(ctx, "", path, most)
}

// ErrOutside is the error of a file that is not below the directory that it must be in.
var ErrOutside = errors.New("it is not below SIGNAL_CLIENT_SECRETS_DIR, which is")

// ReadFileBelow is ReadFile for a file that must be below a directory, once all symbolic
// links are followed; an empty one allows any. Otherwise the error matches ErrOutside: it
// does not say whether there is such a file.
func ReadFileBelow(ctx context.Context, dir, path string, most int64) ([]byte, error) {
	return reads.read(ctx, placed{dir, path}, most)
}

// placed is a path and the directory that it must be below.
type placed struct{ dir, path string }

// reads are the process's reads in progress, so that no path is read twice at once.
var reads = fileReads{from: readBelow, each: map[placed]*fileRead{}}

type fileReads struct {
	from func(at placed, most int64) ([]byte, error)

	mu   sync.Mutex
	each map[placed]*fileRead
}

// fileRead is a read in progress.
type fileRead struct {
	done chan struct{} // closed when data and err are set
	data []byte
	err  error
}

func (all *fileReads) read(ctx context.Context, at placed, most int64) ([]byte, error) {
	r := all.of(at, most)
	timer := time.NewTimer(fileTime + time.Second) // readPipe's own error comes first and says more
	defer timer.Stop()
	select {
	case <-r.done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, fmt.Errorf("read %s: no answer within %s (is it on a network file system that is away?)", at.path, fileTime)
	}
}

// of returns the read of a path that is in progress, or starts one.
func (all *fileReads) of(at placed, most int64) *fileRead {
	all.mu.Lock()
	defer all.mu.Unlock()
	if r := all.each[at]; r != nil {
		return r
	}
	r := &fileRead{done: make(chan struct{})}
	all.each[at] = r
	go func() {
		r.data, r.err = all.from(at, most)
		all.mu.Lock()
		delete(all.each, at)
		all.mu.Unlock()
		close(r.done)
	}()
	return r
}

// readBelow reads the file that a path leads to, so that a link that is changed meanwhile
// leads nowhere else.
func readBelow(at placed, most int64) ([]byte, error) {
	if at.dir == "" {
		return read(at.path, most)
	}
	outside := fmt.Errorf("read %s: %w %s", at.path, ErrOutside, at.dir)
	dir, err := filepath.EvalSymlinks(at.dir)
	if err != nil {
		return nil, fmt.Errorf("SIGNAL_CLIENT_SECRETS_DIR: %w", err)
	}
	path, err := filepath.EvalSymlinks(at.path)
	switch {
	case err != nil && (below(at.dir, at.path) || below(dir, at.path)):
		return nil, err
	case err != nil || !below(dir, path): // the same error, whether or not such a file exists
		return nil, outside
	}
	return read(path, most)
}

// below reports whether a path is below a directory, by their names.
func below(dir, path string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if path, err = filepath.Abs(path); err != nil {
		return false
	}
	within, err := filepath.Rel(dir, path)
	return err == nil && within != "." && filepath.IsLocal(within)
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

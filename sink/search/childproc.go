package search

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

// What this process and its child tell each other.
type (
	// ChildSettings are sent to the child's standard input, as one JSON object.
	ChildSettings struct {
		Dir        string        `json:"dir"`
		Password   string        `json:"password"` // of ChildUser; another one at each start
		Memory     int64         `json:"memory"`
		LeastFree  int64         `json:"least_free"` // bytes of the disk that it leaves free
		Retention  time.Duration `json:"retention"`
		WriteEvery time.Duration `json:"write_every"`
	}
	// ChildReady is what the child writes to its standard output when it answers.
	ChildReady struct {
		URL string `json:"url"`
	}
)

// ChildUser is the user's name that the child accepts.
const ChildUser = "signal-client"

// childEnd is how long the child may take to write what it has in memory.
const childEnd = 3 * time.Second

// besideCaches is what the child's runtime may use beside its caches, before it collects
// garbage harder.
const besideCaches = 128 << 20

// child is a running child process.
type child struct {
	index *Index
	stdin io.Closer
	gone  chan struct{} // closed when it has ended, and all that it wrote is read
	words *childLog
	kill  func() error
}

// startChild starts the child and waits until it answers.
func (s *Service) startChild(ctx context.Context) (*child, error) {
	if len(s.config.Command) == 0 {
		return nil, errors.New("start the index's process: no command is configured")
	}
	if err := os.MkdirAll(s.config.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the index's directory: %w", err)
	}
	// Its end is a matter of stdin, not of a context, so that it can write what it has.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.config.Command[0], s.config.Command[1:]...) //nolint:gosec // this program itself
	cmd.Args[0] = os.Args[0]
	cmd.SysProcAttr = apart()
	// None of this process's variables: they hold credentials.
	cmd.Env = []string{fmt.Sprintf("GOMEMLIMIT=%d", s.config.Memory+besideCaches)}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("start the index's process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the index's process: %w", err)
	}
	c := &child{stdin: stdin, gone: make(chan struct{}), words: &childLog{log: s.log}, kill: cmd.Process.Kill}
	ready := make(chan ChildReady, 1)
	go c.await(cmd, stdout, stderr, ready)
	s.log.Debug("search: the index's process is starting", "pid", cmd.Process.Pid)

	password := rand.Text()
	settings := ChildSettings{Dir: s.config.Dir, Password: password, Memory: s.config.Memory, LeastFree: s.leastFree(), Retention: s.config.Retention, WriteEvery: s.config.WriteEvery}
	_ = json.NewEncoder(stdin).Encode(settings) // if it is gone already, that shows below
	select {
	case r := <-ready:
		c.index = &Index{URL: r.URL, User: ChildUser, Password: pipeline.NewSecret(password), HTTP: newHTTPClient(false), native: true}
		return c, nil
	case <-c.gone:
		return nil, c.words.failure()
	case <-ctx.Done():
		c.stop()
		return nil, context.Cause(ctx)
	}
}

// await reads what the child writes, until it has ended.
func (c *child) await(cmd *exec.Cmd, stdout, stderr io.Reader, ready chan<- ChildReady) {
	var reading sync.WaitGroup
	read := func(f func()) {
		reading.Go(func() {
			if pipeline.Contain(c.words.log, "search", func() error { f(); return nil }) != nil {
				_ = c.kill() // it would wait for ever to write
			}
		})
	}
	read(func() {
		var r ChildReady
		if json.NewDecoder(bufio.NewReader(stdout)).Decode(&r) == nil && r.URL != "" {
			ready <- r
		}
		_, _ = io.Copy(io.Discard, stdout)
	})
	read(func() { c.words.read(stderr) })
	reading.Wait()
	c.words.ended(cmd.Wait())
	close(c.gone)
}

// stop ends the child: by itself, or killed if that takes too long.
func (c *child) stop() {
	_ = c.stdin.Close()
	select {
	case <-c.gone:
	case <-time.After(childEnd):
		_ = c.kill()
		<-c.gone
	}
	if c.index != nil {
		c.index.HTTP.CloseIdleConnections()
	}
}

// leastFree returns how much of the disk the index leaves free.
func (s *Service) leastFree() int64 {
	const least = 128 << 20
	if s.config.LeastFree == nil {
		return least
	}
	return max(least, s.config.LeastFree())
}

// childLog turns what VictoriaLogs writes to its standard error into log lines of this
// process, and remembers why it ended. It is safe for concurrent use.
type childLog struct {
	log *slog.Logger

	mu   sync.Mutex
	last string // of its errors
	exit error  // of the process; nil: it runs, or ended by itself
	over bool
}

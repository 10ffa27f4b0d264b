package jetstest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// childEnv holds the configuration of a child's server.
const childEnv = "SIGNAL_CLIENT_JETSTEST_SERVER"

const readyLine = "ready"

// Process is a nats-server in a child process, which runs the test's own binary. It can
// be killed at any moment.
type Process struct {
	config Config
	cmd    *exec.Cmd      // nil while it is not running
	stdin  io.WriteCloser // closing it tells the child that the test is gone
	ways   []*relay       // to and from the other servers of its cluster
}

// Process starts a server configured by c as a child process, which is killed with the
// test.
func (c Config) Process(t testing.TB) *Process {
	t.Helper()
	p := c.process(t)
	p.Start(t)
	return p
}

func (c Config) process(t testing.TB) *Process {
	ForgetTimers()
	c.Listen, c.Open = true, true
	p := &Process{config: c.withDefaults(t)}
	t.Cleanup(p.Kill)
	return p
}

// Start restarts a killed server on its directory, and waits until it answers.
func (p *Process) Start(t testing.TB) {
	t.Helper()
	ready := p.launch(t)
	if line, err := ready(); line != readyLine {
		t.Fatalf("test's server did not start: %q %v", line, err)
	}
}

// launch starts the child. The returned function waits for its first line.
func (p *Process) launch(t testing.TB) func() (string, error) {
	t.Helper()
	config, err := json.Marshal(p.config)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.cmd = cmd
	return func() (string, error) {
		line, err := bufio.NewReader(stdout).ReadString('\n')
		return strings.TrimSpace(line), err
	}
}

// Kill sends SIGKILL and waits for the process to end.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.stdin.Close()
	p.cmd = nil
}

// Freeze stops the process (SIGSTOP).
func (p *Process) Freeze() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw continues a frozen process (SIGCONT).
func (p *Process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// CutOff separates a server from the others of its cluster until Join: its clients reach
// it, but it reaches nobody.
func (p *Process) CutOff() {
	for _, way := range p.ways {
		way.set(true)
	}
}

// Join undoes CutOff.
func (p *Process) Join() {
	for _, way := range p.ways {
		way.set(false)
	}
}

// PID returns the process id, while it runs.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Dir returns the store's directory.
func (p *Process) Dir() string { return p.config.Dir }

// URL returns the server's address, which survives a kill.
func (p *Process) URL() string { return url(p.config.Port) }

// Option returns the option with the server's credentials.
func (p *Process) Option() nats.Option { return p.config.userInfo() }

// Connect connects to the server. The connection reconnects by itself after a kill and a
// restart, and is closed with the test.
func (p *Process) Connect(t testing.TB, opts ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, p.URL(), append([]nats.Option{p.Option()}, opts...)...)
}

// serve runs the child: a server until it is killed, or the test is gone.
func serve(config string) int {
	var c Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		fmt.Println(err)
		return 1
	}
	srv, err := server.NewServer(c.options())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	srv.Start()
	if !srv.ReadyForConnections(startTime) {
		fmt.Println("not ready after", startTime)
		return 1
	}
	fmt.Println(readyLine)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func url(port int) string { return fmt.Sprintf("nats://127.0.0.1:%d", port) }

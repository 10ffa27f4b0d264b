package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// killed is a service that is killed, frozen and started again.
type killed struct {
	*killFixture
	name   string
	binary string // what start runs
	env    []string
	log    *os.File
	cmd    *exec.Cmd     // nil while it is not running
	ended  chan struct{} // closed when cmd has ended
	before int           // length of what earlier processes said
}

// service prepares a service. What it says is shown when the test fails.
func (k *killFixture) service(name string, env ...string) *killed {
	k.Helper()
	log, err := os.Create(filepath.Join(k.TempDir(), name+".log"))
	if err != nil {
		k.Fatal(err)
	}
	s := &killed{killFixture: k, name: name, binary: k.binary, log: log, env: append(bare(), env...)}
	s.env = append(s.env, "SIGNAL_CLIENT_REPLICA="+name, "SIGNAL_CLIENT_SESSION_TTL=2s", "SIGNAL_CLIENT_HTTP_ADDR=127.0.0.1:0")
	k.Cleanup(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
		if text := s.text(); k.Failed() {
			k.Logf("%s:\n%s", name, text[max(0, len(text)-8000):])
		}
		_ = log.Close()
	})
	return s
}

// bare is the environment without what configures the program.
func bare() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "NATS_") || strings.HasPrefix(v, "OKTA_") || strings.HasPrefix(v, "SIGNAL_CLIENT_")
	})
}

func (s *killed) start() {
	s.Helper()
	s.before = len(s.text())
	cmd, ended := exec.Command(s.binary, "run"), make(chan struct{})
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s.log, s.log
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.cmd, s.ended = cmd, ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
}

// signal sends a signal to a service that must be running.
func (s *killed) signal(sig syscall.Signal) {
	s.Helper()
	select {
	case <-s.ended:
		s.Fatalf("seed %d: %s has ended by itself: %v", s.seed, s.name, s.cmd.ProcessState)
	default:
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.Fatalf("seed %d: %s: %v", s.seed, s.name, err)
	}
}

// kill ends the service where it stands.
func (s *killed) kill() {
	s.Helper()
	s.signal(syscall.SIGKILL)
	<-s.ended
	s.cmd = nil
}

// stop ends the service in good order.
func (s *killed) stop() {
	s.Helper()
	s.signal(syscall.SIGTERM)
	<-s.ended
	state := s.cmd.ProcessState
	s.cmd = nil
	if !state.Success() {
		s.Fatalf("seed %d: %s: %v", s.seed, s.name, state)
	}
}

// text is all that the service has said.
func (s *killed) text() []byte {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.Error(err)
	}
	return text
}

// live reports whether the service has a session, and so may poll, by its own word.
func (s *killed) live() bool {
	text := s.text()[s.before:]
	newest := func(what string) int { return bytes.LastIndex(text, []byte(what)) }
	return newest("session is live") > max(newest("polling stops"), newest("http: serving"))
}

// freeze stops the service that holds most where it stands, until others have
// taken that over, and lets it wake.
func (k *killFixture) freeze(services []*killed) {
	k.Helper()
	s, instances := k.busiest(services)
	s.signal(syscall.SIGSTOP)
	k.takenOver(s.name, instances)
	k.wait(0, time.Second)
	s.signal(syscall.SIGCONT)
}

// busiest is the service that holds most, and what that is.
func (k *killFixture) busiest(services []*killed) (s *killed, instances []string) {
	k.Helper()
	k.until("a service holds an instance", func() bool {
		held := k.held()
		for _, one := range services {
			if mine := one.of(held); len(mine) > len(instances) {
				s, instances = one, mine
			}
		}
		return s != nil
	})
	return s, instances
}

// of lists those of the held instances that the service holds.
func (s *killed) of(held map[string]string) []string {
	var mine []string
	for instance, replica := range held {
		if replica == s.name {
			mine = append(mine, instance)
		}
	}
	return mine
}

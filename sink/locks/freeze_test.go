package locks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// contenderEnv is the address of the server at which a child process contends
// for the lock of acme.
const contenderEnv = "SIGNAL_CLIENT_LOCKS_TEST"

// contend says on stdout when it holds the lock and when it has lost it, until
// its parent is gone.
func contend(url string) int {
	ctx := context.Background()
	conn, err := jets.Connect(ctx, url)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	store, err := jets.Open(ctx, conn, jets.Config{Kinds: sinktest.Kinds})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	locks, err := New(store, Config{Replica: "frozen", TTL: 2 * time.Second})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go func() { _ = locks.Run(ctx) }()
	go func() {
		for {
			_ = locks.Hold(ctx, pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"}, func(held context.Context) {
				fmt.Println("held")
				<-held.Done()
				fmt.Println("lost")
			})
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// A process that is frozen past its time is replaced by another, and notices that as soon
// as it wakes.
func TestLockOfFrozenProcess(t *testing.T) {
	s := jetstest.Config{Listen: true, Open: true}.Run(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), contenderEnv+"="+s.URL())
	stdout, err1 := cmd.StdoutPipe()
	stdin, err2 := cmd.StdinPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = stdin.Close()
		_ = cmd.Wait()
	}()
	lines := bufio.NewReader(stdout)
	want := func(said string) {
		t.Helper()
		if line, err := lines.ReadString('\n'); strings.TrimSpace(line) != said {
			t.Fatalf("the frozen process says %q (%v), want %q", line, err, said)
		}
	}
	want("held")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}

	locks, err := New(sinktest.Open(t, s, jets.Config{Kinds: sinktest.Kinds}), Config{Replica: "other", TTL: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = locks.Run(ctx)
	}()
	err = locks.Hold(ctx, pipeline.Claim{Kind: sinktest.Kind, Instance: "acme"}, func(context.Context) {
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		want("lost")
	})
	if err != nil {
		t.Error(err)
	}
	want("held") // its turn again: the lock was given back
	cancel()
	<-done
}

package search_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/search"
)

// victoriaLogs is VictoriaLogs' own program.
type victoriaLogs struct {
	url  string
	args []string
	cmd  *exec.Cmd
}

// buildVictoriaLogs builds VictoriaLogs, once for all tests.
var buildVictoriaLogs = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(scratch, "victoria-logs")
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build VictoriaLogs: %w\n%s", err, out)
	}
	return binary, err
})

// startVictoriaLogs starts VictoriaLogs.
func startVictoriaLogs(t *testing.T, args ...string) *victoriaLogs {
	t.Helper()
	binary, err := buildVictoriaLogs()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") // it can't tell which port it got
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	v := &victoriaLogs{url: "http://" + addr, args: append([]string{binary, "-httpListenAddr=" + addr, "-storageDataPath=" + filepath.Join(t.TempDir(), "data"),
		"-retentionPeriod=90d", "-memory.allowedBytes=64MB", "-httpAuth.username=signals", "-httpAuth.password=pass word", "-inmemoryDataFlushInterval=1s"}, args...)}
	v.start(t)
	t.Cleanup(v.kill)
	return v
}

func (v *victoriaLogs) start(t *testing.T) {
	t.Helper()
	v.cmd = exec.Command(v.args[0], v.args[1:]...)
	v.cmd.Stderr = new(bytes.Buffer)
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(v.url + "/health")
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("VictoriaLogs does not answer: %v\n%s", err, v.cmd.Stderr)
		}
	}
}

func (v *victoriaLogs) kill() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
}

// Two processes share a remote index: one writes, and the other goes on when that one is
// gone. VictoriaLogs itself is killed meanwhile. At rest each event is there once. A
// stream that is made anew empties it.
func TestRemote(t *testing.T) {
	f := newFixture(t)
	v := startVictoriaLogs(t, "-delete.enable")
	f.config.Mode, f.config.User, f.config.Password, f.config.Replica = v.url+"/", "signals", pipeline.NewSecret("pass word"), "one"
	f.lay(2000)
	one, connection := f.start(), f.Store.Conn
	f.current()
	f.Open()
	f.config.Replica = "two"
	two := f.start()
	f.await("the other one waits", func() bool { p := two.Progress(); return p.State == search.StateElsewhere && p.Writer == "one" })
	f.lay(1000)
	v.kill()
	v.start(t)
	f.lay(1000)
	f.service = one
	f.wantSame()

	connection.Close() // as if it were killed: it gives nothing back
	f.service = two
	f.lay(500)
	f.wantSame()
	if p := two.Progress(); p.State != search.StateCurrent {
		t.Errorf("%+v", p)
	}

	f.OK(f.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamSignals))
	f.Open()
	f.lay(700)
	f.await("it is built again", func() bool { return f.log.Count("dropped and built again") > 0 })
	f.wantSame()
}

// A remote index that refuses the password, or to delete what it holds of another stream,
// is told with its remedy.
func TestRemoteRefuses(t *testing.T) {
	f := newFixture(t)
	v := startVictoriaLogs(t)
	f.config.Mode, f.config.User, f.config.Password = v.url, "signals", pipeline.NewSecret("wrong")
	f.lay(100)
	f.start()
	f.await("it is told", func() bool { return f.service.Progress().State == search.StateFailed })
	if p := f.service.Progress(); !strings.Contains(p.Trouble, "401") || !strings.Contains(p.Remedy, "PASSWORD_FILE") {
		t.Errorf("trouble %q, remedy %q", p.Trouble, p.Remedy)
	}
	f.end()
	f.config.Password = pipeline.NewSecret("pass word")
	f.start()
	f.wantSame()
	f.OK(f.Store.Conn.JS.DeleteStream(t.Context(), jets.StreamSignals))
	f.Open()
	f.lay(10)
	f.await("it is told", func() bool { return strings.Contains(f.service.Progress().Trouble, "-delete.enable") })
	if strings.Contains(f.log.String(), "pass word") {
		t.Error("the password is in the log")
	}
}

// A process that only asks writes nothing.
func TestRemoteAsks(t *testing.T) {
	f := newFixture(t)
	f.config.Mode, f.config.Asks = "http://127.0.0.1:1", true
	f.lay(10)
	s := f.start()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	f.await("it says so", func() bool { return s.Progress().State == search.StateElsewhere })
	if m, err := f.Store.Conn.Value(ctx, jets.BucketLocks, "search-index"); err != nil || m.Seq != 0 {
		t.Errorf("the lease is %+v, %v", m, err)
	}
	if _, err := s.Index(); err != nil {
		t.Error(err)
	}
}

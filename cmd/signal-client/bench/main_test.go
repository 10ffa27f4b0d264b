package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/witfoo/signal-client/sink/jets/jetstest"
)

// wantedEnv is set by the tasks: a plain go test skips the figures.
const wantedEnv = "SIGNAL_CLIENT_BENCH"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(play(role))
	}
	jetstest.Main(m)
}

// TestFigures prints the figures. It fails when something was not stored or
// not answered, never because it was slow.
func TestFigures(t *testing.T) {
	if os.Getenv(wantedEnv) == "" {
		t.Skip("task bench prints the figures")
	}
	var r report
	r.Plain("load average before: what else the machine does", loadAverage())
	binary := build(t)
	t.Run("demo", func(t *testing.T) { demo(t, &r, binary) })
	t.Run("drain", func(t *testing.T) { drain(t, &r, binary) })
	t.Run("budget", func(t *testing.T) { budgets(t, &r) })
	t.Run("idle", func(t *testing.T) { idle(t, &r) })
	r.Print(os.Stdout)
}

// build makes the binary as a release is made.
func build(t *testing.T) string {
	t.Helper()
	progress("building the binary")
	path := filepath.Join(t.TempDir(), "signal-client")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// progress prints what is going on.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }

// The parts that run in child processes: this test's own binary, started once
// more. A child reads its task from the environment, and ends with its stdin, so
// that it is never left behind.
const (
	roleEnv = "SIGNAL_CLIENT_BENCH_ROLE"
	taskEnv = "SIGNAL_CLIENT_BENCH_TASK"
)

func play(role string) int {
	task := []byte(os.Getenv(taskEnv))
	var err error
	switch role {
	case "org":
		err = serveOrg(task)
	case "hosts":
		err = serveHosts(task)
	case "bare":
		err = publishBare(task)
	default:
		err = fmt.Errorf("no such role: %s", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

// child is the command that plays a role. Closing what it returns ends it.
func child(t *testing.T, role string, task any) (*exec.Cmd, io.Closer) {
	t.Helper()
	encoded, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role, taskEnv+"="+string(encoded))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return cmd, stdin
}

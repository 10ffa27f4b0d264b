package run

import (
	"os"
	"os/exec"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sys/unix"
)

// A process without dumps can't be dumped, and still has its process metrics and its program's
// name. It runs as a process of its own, because nothing undoes it.
func TestNoDumps(t *testing.T) {
	if os.Getenv("TEST_NO_DUMPS") == "" {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoDumps$")
		cmd.Env = append(os.Environ(), "TEST_NO_DUMPS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	if err := noDumps(); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err == nil {
		err = unix.Getrlimit(unix.RLIMIT_CORE, &limit)
	}
	if err != nil || dumpable != 0 || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("dumpable %d, core limit %+v: %v", dumpable, limit, err)
	}
	if _, err := os.Executable(); err != nil {
		t.Error(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	found := map[string]bool{}
	families, err := registry.Gather()
	for _, f := range families {
		found[f.GetName()] = true
	}
	if err != nil || !found["process_open_fds"] || !found["process_resident_memory_bytes"] {
		t.Errorf("process metrics %v: %v", found, err)
	}
}

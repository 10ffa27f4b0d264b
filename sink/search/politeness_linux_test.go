package search_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// All threads of the index's process yield to others, and it is ended before others when
// there is no memory left.
func TestChildYields(t *testing.T) {
	f := newFixture(t)
	f.start()
	f.await("it answers", func() bool { _, err := f.service.Index(); return err == nil })
	proc := fmt.Sprintf("/proc/%d", f.pid())
	threads, err := filepath.Glob(proc + "/task/*/stat")
	f.OK(err)
	if len(threads) == 0 {
		t.Fatal("no threads")
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		_, behind, _ := strings.Cut(string(stat), ") ")
		if nice := strings.Fields(behind)[16]; nice != "5" {
			t.Errorf("%s has the nice value %s", thread, nice)
		}
	}
	score, err := os.ReadFile(proc + "/oom_score_adj")
	f.OK(err)
	if string(score) != "500\n" {
		t.Errorf("oom_score_adj is %s", score)
	}
}

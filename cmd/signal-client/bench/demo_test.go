package bench

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

const demoRuns = 3

var firstEvent = regexp.MustCompile(`in JetStream ([0-9.]+ m?s) after the start`)

// demo runs the demo and reads its summary. What the process needs until the
// demo counts is what version takes.
func demo(t *testing.T, r *report, binary string) {
	progress("demo: %d runs of 3 s", demoRuns)
	var firsts []float64
	for range demoRuns {
		began := time.Now()
		if out, err := exec.CommandContext(t.Context(), binary, "version").CombinedOutput(); err != nil {
			t.Fatalf("version: %v\n%s", err, out)
		}
		start := time.Since(began).Seconds()
		out, err := exec.CommandContext(t.Context(), binary, "demo", "--for", "3s").CombinedOutput()
		said := firstEvent.FindSubmatch(out)
		if err != nil || said == nil {
			t.Fatalf("demo: %v\n%s", err, out)
		}
		first, err := time.ParseDuration(strings.Replace(string(said[1]), " ", "", 1))
		if err != nil {
			t.Fatal(err)
		}
		firsts = append(firsts, start+first.Seconds())
	}
	r.Part(fmt.Sprintf("Demo; median of %d runs", demoRuns))
	r.Target("first event in JetStream after the start", fmt.Sprintf("%.2f s", median(firsts)), "< 1 s", median(firsts) < 1)
}

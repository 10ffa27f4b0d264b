package signalpages

import (
	"os/exec"
	"testing"
)

// Those modules of the browser that need no page have tests of their own.
func TestModules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	if out, err := exec.CommandContext(t.Context(), node, "--test", "testdata/modules.test.mjs").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

package status

import (
	"bytes"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/sink/overview"
)

// A process that can't poll an org is shown with the reason, and the reason can't control
// the terminal.
func TestSharesSayWhy(t *testing.T) {
	all := overview.Shares(locks.Replicas{Sessions: map[string]locks.Session{
		"node-1": {ID: "a", Declines: []string{"acme", "initech"}, Reasons: map[string]string{"acme": "breaker is open: no route to host\x1b[2J"}},
		"node-2": {ID: "b"},
	}})
	var out bytes.Buffer
	if err := printShares(term.Screen{Writer: &out}, all); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "acme,initech") || strings.Contains(got, "\x1b") ||
		!strings.HasSuffix(got, "\nnode-1 declines acme: breaker is open: no route to host\\x1b[2J\n") {
		t.Errorf("shown:\n%s", got)
	}
}

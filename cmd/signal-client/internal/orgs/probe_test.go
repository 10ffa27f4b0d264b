package orgs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/okta"
)

// A hint names what exists: ids, or a host that could be allowed.
func TestProbeHints(t *testing.T) {
	for _, c := range []struct {
		err  error
		hint string
	}{
		{&okta.Error{Status: 500, ID: "oae1"}, "ask Okta's support with the ids above"},
		{&okta.Error{Status: 500, RequestID: "Xq1"}, "ask Okta's support with the ids above"},
		{&okta.Error{Status: 502}, "check what answers there"},
		{errors.New("malformed HTTP response"), "check what answers there"},
		{fmt.Errorf("answer refused: next link leads to host \"b.example\", which is %w", source.ErrLinkHost), "signal-client integrations set acme link_hosts=<host>"},
	} {
		got := ProbeResult{Instance: "acme"}
		got.judge(okta.Source.Mark(c.err))
		if got.Verdict != verdictFailed || got.Code != problem.Failed || !strings.Contains(got.Hint, c.hint) {
			t.Errorf("of %v: %+v, hint %s", c.err, got, got.Hint)
		}
	}
}

package audit

import (
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline/audit"
)

// An event that is stored twice is printed with both of its places.
func TestAuditShowsBothPlaces(t *testing.T) {
	r := audit.Report{Missing: 1, Twice: 1, HereOnly: 1,
		MissingFirst:  []audit.Finding{{UUID: "m"}},
		TwiceFirst:    []audit.Finding{{UUID: "t", Seq: 45, FirstSeq: 12}},
		HereOnlyFirst: []audit.Finding{{UUID: "o", Seq: 7}},
	}
	var b strings.Builder
	if err := printAudit(term.Screen{Writer: &b}, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\tm\t-\n", "\tt\t12, 45\n", "\to\t7\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

package integrations

import (
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
)

// The help of set names each field, except the second name of poll_interval.
func TestSetNamesTheFields(t *testing.T) {
	_, list, _ := strings.Cut(integrationsSetLong, "or as flags:")
	list, _, _ = strings.Cut(list, ".")
	named := strings.FieldsFunc(list, func(c rune) bool { return strings.ContainsRune(", \n", c) })
	want := strings.Replace(strings.Join(orgs.FieldNames(), " "), "poll_interval_minutes ", "", 1)
	if got := strings.Join(named, " "); got != want {
		t.Errorf("it names %s, want %s", got, want)
	}
}

package oktatest

import (
	"regexp"
	"strings"
	"testing"
)

var nextLink = regexp.MustCompile(`<([^>]*)>[^<]*(?i:rel)="?next"?`)

// next is the next link of an answer.
func next(t *testing.T, a asked) string {
	t.Helper()
	m := nextLink.FindStringSubmatch(strings.Join(a.Header.Values("Link"), ", "))
	if m == nil {
		t.Fatalf("no next link in %q", a.Header.Values("Link"))
	}
	return m[1]
}

package okta

import (
	"strings"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
)

// TestAdopt keeps every byte of another program's link but its host and limit.
func TestAdopt(t *testing.T) {
	i := pipeline.Integration{Origin: "https://acme.okta.com", Limit: 500, Filter: `eventType eq "a b"`}
	for kept, want := range map[string]string{
		"https://acme.okta.com/api/v1/logs?limit=1000&after=1_1%2F&filter=eventType+eq+%22a%20b%22&since=2026-11-28T08%3A00%3A00Z": "/api/v1/logs?limit=500&after=1_1%2F&filter=eventType+eq+%22a%20b%22&since=2026-11-28T08%3A00%3A00Z",
		" /api/v1/logs?after=1&sortOrder=ascending&filter=eventType+eq+%22a+b%22\n":                                                "/api/v1/logs?after=1&sortOrder=ascending&filter=eventType+eq+%22a+b%22&limit=500",
		"https://acme.okta.com/api/v1/logs?after=1":                                                                                "filter",
		"https://acme.okta.com/api/v1/logs?after=1&filter=%zz":                                                                     "malformed filter",
		"https://acme.okta.com/api/v1/logs?after=1&until=2026-11-28T08:00:00Z":                                                     "until",
		"https://acme.okta.com/api/v1/logs?after=1&q=x":                                                                            "a q",
		"https://acme.okta.com/api/v1/logs?after=1&sortOrder=DESCENDING":                                                           "sortOrder",
		"https://evil.example/api/v1/logs?after=1":                                                                                 "host",
		"https://acme.okta.com/api/v1/users?after=1":                                                                               "path",
	} {
		link, since, err := Adopt(i, kept)
		switch {
		case err == nil && string(link) != want:
			t.Errorf("%s became %s", kept, link)
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %s", kept, err, want)
		case err == nil && since.IsZero() == strings.Contains(kept, "since"):
			t.Errorf("%s since %v", kept, since)
		}
	}
}

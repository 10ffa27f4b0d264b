package build

import (
	"runtime/debug"
	"testing"
)

func TestCommit(t *testing.T) {
	recorded := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"},
		{Key: "vcs.time", Value: "2026-11-28T17:09:00Z"},
		{Key: "vcs.modified", Value: "false"},
	}
	if revision, date := commit(recorded); revision != "0123456789ab" || date != "2026-11-28T17:09:00Z" {
		t.Errorf("%s of %s", revision, date)
	}
	recorded[2].Value = "true"
	if revision, _ := commit(recorded); revision != "0123456789ab+changes" {
		t.Errorf("changed tree: %s", revision)
	}
	if revision, date := commit(recorded[1:]); revision != "" || date != "" {
		t.Errorf("no revision: %q of %q", revision, date)
	}
}

func TestTexts(t *testing.T) {
	for _, test := range []struct {
		build          Info
		line, toSource string
	}{
		{
			Info{Version: "v1.2.3", Revision: "0123456789ab", Date: "2026-11-28T17:09:00Z", Go: "go1.26.8", Platform: "linux/amd64"},
			"v1.2.3 (revision 0123456789ab of 2026-11-28T17:09:00Z, go1.26.8, linux/amd64)",
			"signal-client/v1.2.3 (0123456789ab of 2026-11-28T17:09:00Z)",
		},
		{
			Info{Go: "go1.26.8", Platform: "linux/amd64"}.withDefaults(),
			"devel (revision unknown, go1.26.8, linux/amd64)",
			"signal-client/devel",
		},
	} {
		if got := test.build.String(); got != test.line {
			t.Errorf("line %q", got)
		}
		if got := test.build.UserAgent(); got != test.toSource {
			t.Errorf("User-Agent %q", got)
		}
	}
}

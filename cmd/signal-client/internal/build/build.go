package build

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker in a release, as task build does it. The date is the commit's, not the
// build's, so that two builds of a commit are equal. What is empty is read from what the
// Go command recorded.
var version, revision, date string

// Info is what this binary was built from.
type Info struct {
	Version  string `json:"version"`        // such as v1.2.3, or devel
	Revision string `json:"revision"`       // 12 hex digits of the commit, or unknown
	Date     string `json:"date,omitempty"` // of the commit, in RFC 3339, UTC; empty: unknown
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read reads the running binary's build information.
func Read() Info {
	b := Info{Version: version, Revision: revision, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b.withDefaults()
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Revision == "" {
		b.Revision, b.Date = commit(info.Settings)
	}
	return b.withDefaults()
}

func (b Info) withDefaults() Info {
	b.Version = cmp.Or(b.Version, "devel")
	b.Revision = cmp.Or(b.Revision, "unknown")
	return b
}

// String returns the build in one line.
func (b Info) String() string {
	return fmt.Sprintf("%s (%s, %s, %s)", b.Version, b.commit("revision "), b.Go, b.Platform)
}

// UserAgent names the program in its requests to sources.
func (b Info) UserAgent() string {
	if b.Revision == "unknown" {
		return "signal-client/" + b.Version
	}
	return fmt.Sprintf("signal-client/%s (%s)", b.Version, b.commit(""))
}

func (b Info) commit(title string) string {
	if b.Date == "" {
		return title + b.Revision
	}
	return title + b.Revision + " of " + b.Date
}

// commit returns the revision that was built, marked if the tree had changes, and its date.
func commit(settings []debug.BuildSetting) (revision, date string) {
	changed := ""
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.time":
			date = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+changes"
			}
		}
	}
	if revision == "" {
		return "", ""
	}
	return revision + changed, date
}

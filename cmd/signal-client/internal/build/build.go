package build

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker in a release:
//
//	go build -ldflags "-X github.com/witfoo/signal-client/cmd/signal-client/internal/build.version=v1.2.3 -X github.com/witfoo/signal-client/cmd/signal-client/internal/build.revision=abc1234"
//
// Without it they are read from what the Go command recorded.
var version, revision string

// Info is what this binary was built from.
type Info struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Read reads the running binary's build information.
func Read() Info {
	b := Info{Version: version, Revision: revision, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b.withDefaults()
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Revision == "" {
		b.Revision = vcsRevision(info.Settings)
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
	return fmt.Sprintf("%s (revision %s, %s, %s)", b.Version, b.Revision, b.Go, b.Platform)
}

// vcsRevision returns the commit that was built, marked if the tree had changes.
func vcsRevision(settings []debug.BuildSetting) string {
	var commit, changed string
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+changes"
			}
		}
	}
	if commit == "" {
		return ""
	}
	return commit[:min(12, len(commit))] + changed
}

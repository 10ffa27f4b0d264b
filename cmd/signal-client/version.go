package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by the linker in a release:
//
//	go build -ldflags "-X main.version=v1.2.3 -X main.revision=abc1234"
//
// Without it they are read from what the Go command recorded.
var version, revision string

// build says what this binary was made of.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// thisBuild reads the running binary's build information.
func thisBuild() build {
	b := build{Version: version, Revision: revision, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
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

func (b build) withDefaults() build {
	b.Version = cmp.Or(b.Version, "devel")
	b.Revision = cmp.Or(b.Revision, "unknown")
	return b
}

// String is the build in a line.
func (b build) String() string {
	return fmt.Sprintf("%s (revision %s, %s, %s)", b.Version, b.Revision, b.Go, b.Platform)
}

// vcsRevision is the commit that was built, marked when the tree had changes.
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

const versionLong = `Print the version, the revision and what it was built with.

Examples:
  signal-client version
  signal-client version --json | jq -r .revision`

func newVersion(p *program) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  versionLong,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			if asJSON {
				return writeJSON(p.Out(), b)
			}
			_, err := fmt.Fprintln(p.Out(), "signal-client", b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

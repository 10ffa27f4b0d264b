package packages

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"go.yaml.in/yaml/v3"
)

const (
	root    = "../../.." // the repository
	version = "1.0.0"
	commit  = "0123456789abcdef0123456789abcdef01234567"
)

var committed = time.Date(2026, 11, 28, 18, 7, 53, 0, time.UTC)

// goreleaser is the part of .goreleaser.yaml that is tested here.
type goreleaser struct {
	Builds []struct {
		Main    string
		Env     []string
		Flags   []string
		Ldflags []string
	}
	Nfpms []struct {
		nfpm.Overridables `yaml:",inline"`

		PackageName string `yaml:"package_name"`
		Bindir      string
		Vendor      string
		Maintainer  string
		Homepage    string
		Description string
		Section     string
		MTime       time.Time `yaml:"mtime"`
	}
}

// configuration reads .goreleaser.yaml as it is for a release of a version.
func configuration(t *testing.T, version string) goreleaser {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for template, value := range map[string]string{
		"{{ .Version }}": version, "{{ slice .FullCommit 0 12 }}": commit[:12], "{{ .CommitDate }}": committed.Format(time.RFC3339),
	} {
		text = bytes.ReplaceAll(text, []byte(template), []byte(value))
	}
	var c goreleaser
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Builds) != 1 || len(c.Nfpms) != 1 {
		t.Fatalf("%d builds and %d packages", len(c.Builds), len(c.Nfpms))
	}
	return c
}

// build compiles the release from a copy of the repository.
func build(t *testing.T, tree, to string) {
	t.Helper()
	b := configuration(t, version).Builds[0]
	args := append(append([]string{"build"}, b.Flags...), "-ldflags", strings.Join(b.Ldflags, " "), "-o", to, b.Main)
	goCommand(t, tree, b.Env, args...)
}

func goCommand(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, out)
	}
}

// built holds what tests share: the program, and the files that packagefiles.go writes.
var built struct {
	sync.Once
	dir string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// release builds the program and the files of packages, once; it returns their directory.
func release(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "release")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
		build(t, root, filepath.Join(dir, "signal-client"))
		// The flags of the release, so that what is compiled for it is there.
		env := append(configuration(t, version).Builds[0].Env, fmt.Sprint("SOURCE_DATE_EPOCH=", committed.Unix()))
		goCommand(t, root, env, "run", "-trimpath", "-buildvcs=false", "-tags", "packagefiles", "./cmd/signal-client", filepath.Join(dir, "packagefiles"))
	})
	if _, err := os.Stat(filepath.Join(built.dir, "packagefiles", "man")); err != nil {
		t.Fatal("the release was not built: ", err)
	}
	return built.dir
}

// Two builds of a commit are equal, wherever they happen.
func TestReproducible(t *testing.T) {
	one := filepath.Join(release(t), "signal-client")
	tree := filepath.Join(t.TempDir(), "elsewhere")
	for _, part := range []string{"cmd", "pipeline", "schemas", "sink", "source"} {
		if err := os.CopyFS(filepath.Join(tree, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(root, file), filepath.Join(tree, file))
	}
	another := filepath.Join(t.TempDir(), "signal-client")
	build(t, tree, another)
	a, b := read(t, one), read(t, another)
	if !bytes.Equal(a, b) {
		t.Errorf("sha256 %x here, %x there", sha256.Sum256(a), sha256.Sum256(b))
	}
	t.Logf("sha256 %x, %d bytes", sha256.Sum256(a), len(a))
}

// The linker finds the variables that it is to set.
func TestVersion(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), filepath.Join(release(t), "signal-client"), "version").Output()
	want := "signal-client v1.0.0 (revision 0123456789ab of 2026-11-28T18:07:53Z, "
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%s: %v", out, err)
	}
	// The other ways to build it set the same.
	set := regexp.MustCompile(`-X \S*[./](version|revision|date)=`)
	for _, file := range []string{"Taskfile.yml", "deployments/container/Dockerfile"} {
		var names []string
		for _, m := range set.FindAllStringSubmatch(string(read(t, filepath.Join(root, file))), -1) {
			names = append(names, m[1])
		}
		if !slices.Equal(names, []string{"version", "revision", "date"}) {
			t.Errorf("%s sets %q", file, names)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, read(t, from), 0o644); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/witfoo/signal-client/"

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// under reports whether path is the package tree, or within it.
func under(tree, path string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// layer is a direction of the imports: what stands under the tree may import, of
// this module, what is listed and nothing else. So may its tests.
type layer struct {
	tree string
	may  []string
}

// simulations are the packages whose tests import across: an org, a server and
// pollers in one bubble.
var simulations = []string{"sink/sim", "sink/sinktest", "sink/jets", "sink/signals", "sink/locks", "sink/deadletters"}

// layers are searched from the top.
var layers = []layer{
	{"schemas", nil},
	{"pipeline", []string{"pipeline", "schemas"}},
	{"source/okta/oktatest", []string{"source/okta/oktatest", "pipeline", "schemas"}},
	{"source", []string{"source", "pipeline", "schemas"}},
	{"sink", []string{"sink", "pipeline", "schemas"}},
}

// barred are the packages that a tree must not reach, through whatever it
// imports.
var barred = map[string][]string{
	"schemas":  {"github.com/nats-io", "net/http", "github.com/kelseyhightower/envconfig"},
	"pipeline": {"github.com/nats-io", "net/http", "github.com/kelseyhightower/envconfig", "github.com/prometheus", "github.com/spf13"},
	"source":   {"github.com/nats-io", "github.com/kelseyhightower/envconfig", "github.com/prometheus", "github.com/spf13"},
	"sink":     {"github.com/kelseyhightower/envconfig", "github.com/prometheus", "github.com/spf13", "github.com/sony/gobreaker"},
}

// The directions of the imports are those that the design draws:
// cmd → source, sink → pipeline → schemas.
func TestImportDirections(t *testing.T) {
	packages := listPackages(t, "./...")
	for _, p := range packages {
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || under("cmd", path) {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return under(l.tree, path) })
		if i < 0 {
			t.Errorf("%s stands in no layer: the design's tree has no place for it", path)
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to, ours := strings.CutPrefix(imported, module)
			if slices.Contains(simulations, path) && (!slices.Contains(p.Imports, imported) || path == "sink/sinktest") && under("source", to) {
				continue
			}
			if ours && to != path && !slices.ContainsFunc(layers[i].may, func(tree string) bool { return under(tree, to) }) {
				t.Errorf("%s imports %s", path, to)
			}
		}
	}
}

// The domain knows no NATS, no HTTP and no environment, however far one follows
// the imports.
func TestBarredDependencies(t *testing.T) {
	packages := listPackages(t, "./...")
	for _, p := range packages {
		path, _ := strings.CutPrefix(p.ImportPath, module)
		for tree, trees := range barred {
			if !under(tree, path) {
				continue
			}
			for _, dep := range p.Deps {
				for _, no := range trees {
					if under(no, dep) {
						t.Errorf("%s reaches %s", path, dep)
					}
				}
			}
		}
	}
}

// The tests above see every package.
func TestListPackagesSeesThem(t *testing.T) {
	packages := listPackages(t, "./...")
	for _, want := range []string{"cmd/signal-client", "pipeline", "schemas", "source/okta", "sink/jets", "sink/signals"} {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == module+want && len(p.Deps) > 0 }) {
			t.Errorf("go list doesn't know %s", want)
		}
	}
}

// Only this package, and tests, read the environment.
func TestEnvironmentIsReadHereOnly(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "cmd" || strings.HasSuffix(d.Name(), "test") || d.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, call := range []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "syscall.Getenv"} {
			if bytes.Contains(source, []byte(call+"(")) {
				t.Errorf("%s calls %s", path, call)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func listPackages(t *testing.T, pattern string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", pattern)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

package platforms

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const program = "github.com/witfoo/signal-client/"

func TestSystems(t *testing.T) {
	for _, system := range []string{"linux/arm64", "darwin/arm64", "windows/amd64"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			goos, goarch, _ := strings.Cut(system, "/")
			l := loader{known: map[string]*types.Package{"unsafe": types.Unsafe}, files: token.NewFileSet(), goarch: goarch}
			own := 0
			for _, p := range packages(t, goos, goarch) {
				if err := l.check(p); err != nil {
					t.Fatalf("%s: %v", p.ImportPath, err)
				}
				if strings.HasPrefix(p.ImportPath, program) {
					own++
				}
			}
			if own < 40 {
				t.Errorf("only %d packages of the program were checked", own)
			}
		})
	}
}

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
}

// packages are the program's and all that they need, each after those that it imports.
func packages(t *testing.T, goos, goarch string) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,ImportMap", "./cmd/signal-client")
	list.Dir = "../../.."
	list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOWORK=off")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	in := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		err := in.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// loader checks packages from their source. Bodies of functions matter in the program's
// own packages only: the others' are their makers' to check.
type loader struct {
	known  map[string]*types.Package
	files  *token.FileSet
	goarch string
}

func (l *loader) check(p goPackage) error {
	if p.ImportPath == "unsafe" {
		return nil
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(l.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	var first error
	own := strings.HasPrefix(p.ImportPath, program)
	config := types.Config{
		IgnoreFuncBodies: !own,
		FakeImportC:      true,
		Sizes:            types.SizesFor("gc", l.goarch),
		Importer:         importer{l.known, p.ImportMap},
		Error: func(err error) {
			// Without bodies, imports look unused.
			if e, ok := errors.AsType[types.Error](err); first == nil && (own || !ok || !e.Soft) {
				first = err
			}
		},
	}
	checked, _ := config.Check(p.ImportPath, l.files, files, nil) // Error has what it returns
	l.known[p.ImportPath] = checked
	return first
}

// importer finds packages that were checked before.
type importer struct {
	known  map[string]*types.Package
	vendor map[string]string // of the standard library
}

func (i importer) Import(path string) (*types.Package, error) {
	if to := i.vendor[path]; to != "" {
		path = to
	}
	if p := i.known[path]; p != nil {
		return p, nil
	}
	return nil, errors.New("it was not listed before")
}

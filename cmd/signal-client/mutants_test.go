package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMutants takes the rules of the commit protocol out, one at a time, and
// wants a test to notice. The layers hide each other (recent ids hide a missing
// fence, a fence hides forgotten ids), so each mutant names the tests that
// are to kill it: histories that switch the other layers off.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("builds test binaries with the mutants in them")
	}
	binaries := map[string]string{}
	for _, m := range mutants {
		if binaries[m.pkg] == "" {
			binaries[m.pkg] = buildMutants(t, m.pkg)
		}
	}
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0)) // some wait for their time to be over
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			m.run(t, binaries[m.pkg])
		})
	}
}

// mutant is the program with one rule taken out.
type mutant struct {
	name  string
	pkg   string // whose tests are to kill it
	tests string // their names, with | between
	edits []edit // of functions' bodies
}

// edit replaces a text that its file holds exactly once.
type edit struct{ file, was, is string }

// run runs the tests that must fail. One that hangs until its time is over is noticed
// as well.
func (m mutant) run(t *testing.T, binary string) {
	test := exec.Command(binary, "-test.timeout", "20s", "-test.run", "^("+m.tests+")$")
	test.Dir, test.Env = filepath.Join(root, m.pkg), append(os.Environ(), mutantEnv+"="+m.name)
	out, err := test.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); !failed {
		t.Fatalf("the mutant survives %s: %v\n%s", m.tests, err, out)
	}
	if !strings.Contains(string(out), "--- FAIL") && !strings.Contains(string(out), "test timed out") {
		t.Fatalf("no test failed:\n%s", out)
	}
	t.Logf("killed by %s", killers(string(out)))
}

// root is the module's.
const root = "../.."

// mutantEnv names the mutant that a test binary is to be.
const mutantEnv = "SIGNAL_CLIENT_MUTANT"

// buildMutants builds a package's tests once, with all of its mutants in them.
func buildMutants(t *testing.T, pkg string) string {
	t.Helper()
	dir := t.TempDir()
	replaced := map[string]string{}
	for file, text := range mutated(t, pkg) {
		path, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		replaced[path] = filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(replaced[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	path, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutants.test")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "test", "-c", "-overlay", path, "-o", binary, "./"+pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutants of %s do not build: %v\n%s", pkg, err, out)
	}
	return binary
}

// mutated is the text of each file that mutants edit for a package's tests. A function
// that a mutant edits begins with the edited body, which runs if the environment names
// that mutant.
func mutated(t *testing.T, pkg string) map[string]string {
	t.Helper()
	sources, texts := map[string]*source{}, map[string]string{}
	for _, m := range mutants {
		if m.pkg != pkg {
			continue
		}
		edited := map[string]string{}
		for _, e := range m.edits {
			if sources[e.file] == nil {
				text, err := os.ReadFile(filepath.Join(root, e.file))
				if err != nil {
					t.Fatal(err)
				}
				sources[e.file] = parseSource(t, string(text))
			}
			text := cmp.Or(edited[e.file], sources[e.file].text)
			if n := strings.Count(text, e.was); n != 1 {
				t.Fatalf("%s: %s holds this %d times, not once: the mutant needs a new place\n%s", m.name, e.file, n, e.was)
			}
			edited[e.file] = strings.Replace(text, e.was, e.is, 1)
		}
		for file, text := range edited {
			if !sources[file].addMutant(m.name, parseSource(t, text)) {
				t.Fatalf("%s edits %s outside of functions' bodies", m.name, file)
			}
		}
	}
	for file, s := range sources {
		texts[file] = s.withMutants()
		texts[path.Join(path.Dir(file), "mutant.go")] = "package " + s.pkg + "\n\nimport \"os\"\n\nvar mutantToBe = os.Getenv(\"" + mutantEnv + "\")\n"
	}
	return texts
}

// source is a file, in pieces: each second one is a function's body.
type source struct {
	pkg, text  string
	pieces     []string
	resultless []bool   // whether the function of a piece returns nothing
	mutants    []string // of each piece: what the function begins with
}

func parseSource(t *testing.T, text string) *source {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s, end := &source{pkg: file.Name.Name, text: text}, 0
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			from, to := files.Position(f.Body.Lbrace).Offset+1, files.Position(f.Body.Rbrace).Offset
			s.pieces = append(s.pieces, text[end:from], text[from:to])
			s.resultless = append(s.resultless, false, f.Type.Results == nil)
			end = to
		}
	}
	s.pieces = append(s.pieces, text[end:])
	s.mutants = make([]string, len(s.pieces))
	return s
}

// addMutant adds the bodies in which the edited file differs. It reports whether the files
// differ in nothing else.
func (s *source) addMutant(name string, edited *source) bool {
	if len(edited.pieces) != len(s.pieces) {
		return false
	}
	for i, body := range edited.pieces {
		switch {
		case body == s.pieces[i]:
		case i%2 == 0:
			return false
		case s.resultless[i]:
			body += "return\n"
			fallthrough
		default:
			s.mutants[i] += fmt.Sprintf("\nif mutantToBe == %q {%s}\n", name, body)
		}
	}
	return true
}

func (s *source) withMutants() string {
	var text strings.Builder
	for i, piece := range s.pieces {
		text.WriteString(s.mutants[i] + piece)
	}
	return text.String()
}

// killers are the tests that failed.
func killers(out string) string {
	var names []string
	for line := range strings.Lines(out) {
		if name, found := strings.CutPrefix(line, "--- FAIL: "); found {
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// TestMutantsFit reports mutants whose code or tests no longer exist. It builds nothing.
func TestMutantsFit(t *testing.T) {
	packages := map[string]bool{}
	for _, m := range mutants {
		if !packages[m.pkg] {
			mutated(t, m.pkg)
			packages[m.pkg] = true
		}
		tests := testsOf(t, m.pkg)
		for name := range strings.SplitSeq(m.tests, "|") {
			if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s: %s has no %s", m.name, m.pkg, name)
			}
		}
	}
}

// testsOf is the text of a package's tests.
func testsOf(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

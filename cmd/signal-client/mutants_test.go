package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
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
		t.Skip("builds a test binary for each mutant")
	}
	slots := make(chan struct{}, max(runtime.GOMAXPROCS(0), 2))
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			m.run(t)
		})
	}
}

// mutant is the program with one rule taken out.
type mutant struct {
	name  string
	pkg   string // whose tests are to kill it
	tests string // their names, with | between
	edits []edit
}

// edit replaces a text that its file holds exactly once.
type edit struct{ file, was, is string }

// run builds the package's tests with the mutant in it and runs those that must
// fail. One that hangs until its time is over is noticed as well.
func (m mutant) run(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "mutant.test")
	build := exec.Command("go", "test", "-c", "-gcflags=-N -l", "-ldflags=-s -w", // quick to build
		"-overlay", m.overlay(t), "-o", binary, "./"+m.pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, out)
	}
	test := exec.Command(binary, "-test.timeout", "60s", "-test.run", "^("+m.tests+")$")
	test.Dir = filepath.Join(root, m.pkg)
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

// overlay writes the mutated files and what tells go of them.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	dir, replaced := t.TempDir(), map[string]string{}
	for _, e := range m.edits {
		path, err := filepath.Abs(filepath.Join(root, e.file))
		if err != nil {
			t.Fatal(err)
		}
		source := path
		if replaced[path] != "" {
			source = replaced[path]
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.was); n != 1 {
			t.Fatalf("%s holds this %d times, not once: the mutant needs a new place\n%s", e.file, n, e.was)
		}
		replaced[path] = filepath.Join(dir, strings.ReplaceAll(e.file, "/", "_"))
		if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(text), e.was, e.is, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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

// TestMutantsFit tells of a mutant that has lost its place, or its tests, without
// building anything.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		m.overlay(t)
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

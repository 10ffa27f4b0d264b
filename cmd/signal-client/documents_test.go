package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
)

var (
	documentLink  = regexp.MustCompile(`\[[^\]]+\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	namedVariable = regexp.MustCompile(`\b(SIGNAL_CLIENT|OKTA|NATS)_[A-Z_]+\b`)
)

// The files and headings that the documents link to exist.
func TestDocumentsLink(t *testing.T) {
	all := clitest.Documents(t)
	for path, text := range all {
		for _, m := range documentLink.FindAllStringSubmatch(clitest.WithoutBlocks(text), -1) {
			target, anchor, _ := strings.Cut(m[1]+m[2], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if anchor != "" && !slices.Contains(clitest.Anchors(all[file]), anchor) {
				t.Errorf("%s links to #%s, which %s does not have", path, anchor, file)
			}
		}
	}
}

// The variables that the documents name exist.
func TestDocumentsName(t *testing.T) {
	known := map[string]bool{}
	for _, v := range settings() {
		known[v.Name] = true
	}
	found := 0
	for path, text := range clitest.Documents(t) {
		for _, name := range namedVariable.FindAllString(text, -1) {
			found++
			if !known[name] {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d names found", found)
	}
}

var testName = regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`)

// The tests that are listed as proof of a guarantee exist.
func TestDocumentsNameTests(t *testing.T) {
	there := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		for line := range strings.Lines(string(data)) {
			if rest, ok := strings.CutPrefix(line, "func "); ok {
				there[testName.FindString(rest)] = true
			}
		}
		return err
	})
	text, err2 := os.ReadFile(filepath.Join(root, "sink/signals/guarantees.go"))
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	named := testName.FindAllString(strings.ReplaceAll(string(text), "TestName", ""), -1)
	for _, name := range named {
		if !there[name] {
			t.Errorf("there is no %s", name)
		}
	}
	if len(named) < 30 {
		t.Errorf("only %d tests are named", len(named))
	}
}

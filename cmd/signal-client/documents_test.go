package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	documentLink   = regexp.MustCompile(`\[[^\]]+\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	documentTitle  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	documentFenced = regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```$")
	notInAnchor    = regexp.MustCompile(`[^\pL\pN _-]`)

	namedVariable = regexp.MustCompile(`\b(SIGNAL_CLIENT|OKTA|NATS)_[A-Z_]+\b`)
	namedMetric   = regexp.MustCompile(`\bsignal_client_\w+`)
)

// documents are all Markdown files, by their path in the project.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		all[path] = string(data)
		return err
	})
	if err != nil || all["README.md"] == "" {
		t.Fatalf("documents %q: %v", slices.Collect(maps.Keys(all)), err)
	}
	return all
}

// What the documents link to is there: files and headings.
func TestDocumentsLink(t *testing.T) {
	all := documents(t)
	for path, text := range all {
		for _, m := range documentLink.FindAllStringSubmatch(documentFenced.ReplaceAllString(text, ""), -1) {
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
			if anchor != "" && !slices.Contains(anchorsOf(all[file]), anchor) {
				t.Errorf("%s links to #%s, which %s does not have", path, anchor, file)
			}
		}
	}
}

// Variables and metrics that the documents name are there.
func TestDocumentsName(t *testing.T) {
	known := map[string]bool{namespace + "_doctor_check_result": true} // what doctor prints for Prometheus
	for _, v := range settings() {
		known[v.Name] = true
	}
	for name := range served(t) {
		known[name] = true
	}
	found := 0
	for path, text := range documents(t) {
		for _, name := range append(namedVariable.FindAllString(text, -1), namedMetric.FindAllString(text, -1)...) {
			found++
			if !known[name] {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d names found", found)
	}
}

var testName = regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`)

// The tests that are said to prove a guarantee are there.
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
	text, err2 := os.ReadFile(filepath.Join(root, "sink/jets/guarantees.go"))
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

// anchorsOf are the headings as links name them.
func anchorsOf(text string) []string {
	var all []string
	for _, m := range documentTitle.FindAllStringSubmatch(text, -1) {
		anchor := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

// fenced is a document's only block in a language that holds a text.
func fenced(t *testing.T, document, language, holds string) string {
	t.Helper()
	var found []string
	for _, m := range documentFenced.FindAllStringSubmatch(documents(t)[document], -1) {
		if m[1] == language && strings.Contains(m[2], holds) {
			found = append(found, m[2])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s: %d blocks %q hold %q, want 1", document, len(found), language, holds)
	}
	return found[0]
}

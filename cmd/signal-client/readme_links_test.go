package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	readmeLink   = regexp.MustCompile(`\[([^\]]+)\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	readmeTitle  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	readmeFenced = regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```$")
	namesATest   = regexp.MustCompile(`^(Test|Fuzz|Benchmark)\w+$`)
	notInAnchor  = regexp.MustCompile(`[^\pL\pN _-]`)

	readmeVariable = regexp.MustCompile(`\b(SIGNAL_CLIENT|OKTA|NATS)_[A-Z_]+\b`)
	readmeMetric   = regexp.MustCompile(`\bsignal_client_\w+`)
)

func readReadme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What the README links to is there: files, headings, and the tests that it
// says prove a promise.
func TestReadmeLinks(t *testing.T) {
	text := readmeFenced.ReplaceAllString(readReadme(t), "")
	anchors := anchorsOf(text)
	tests := 0
	for _, m := range readmeLink.FindAllStringSubmatch(text, -1) {
		name, target := m[1], m[2]+m[3]
		if anchor, ok := strings.CutPrefix(target, "#"); ok {
			if !slices.Contains(anchors, anchor) {
				t.Errorf("no heading for %s, there are %q", target, anchors)
			}
			continue
		}
		data, err := os.ReadFile(filepath.Join(filepath.Dir(readmePath), target))
		if err != nil {
			t.Errorf("[%s]: %v", name, err)
			continue
		}
		if namesATest.MatchString(name) {
			tests++
			if !strings.Contains(string(data), "\nfunc "+name+"(") {
				t.Errorf("%s has no %s", target, name)
			}
		}
	}
	if tests < 10 {
		t.Errorf("only %d tests are named", tests)
	}
}

// Variables and metrics that the README names are there.
func TestReadmeNames(t *testing.T) {
	known := map[string]bool{}
	for _, s := range new(config).sections() {
		for v := range variables(s) {
			known[v.Name] = true
		}
	}
	for name := range served(t) {
		known[name] = true
	}
	known[namespace+"_doctor_check_result"] = true // what doctor prints for Prometheus
	text := readReadme(t)
	names := append(readmeVariable.FindAllString(text, -1), readmeMetric.FindAllString(text, -1)...)
	if len(names) < 30 {
		t.Fatalf("only %d names found", len(names))
	}
	for _, name := range names {
		if !known[name] {
			t.Errorf("the README names %s, which is not there", name)
		}
	}
}

// anchorsOf are the headings as links name them.
func anchorsOf(text string) []string {
	var all []string
	for _, m := range readmeTitle.FindAllStringSubmatch(text, -1) {
		anchor := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

// fenced is the README's only block in a language that holds a text.
func fenced(t *testing.T, language, holds string) string {
	t.Helper()
	var found []string
	for _, m := range readmeFenced.FindAllStringSubmatch(readReadme(t), -1) {
		if m[1] == language && strings.Contains(m[2], holds) {
			found = append(found, m[2])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks %q hold %q, want 1", len(found), language, holds)
	}
	return found[0]
}

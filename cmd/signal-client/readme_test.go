package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

const (
	tablePath  = root + "/deployments/README.md"
	tableBegin = "<!-- configuration:begin (written by go generate ./...) -->\n"
	tableEnd   = "<!-- configuration:end -->"
)

// The table of the configuration is generated from the struct that reads it.
func TestReadmeConfiguration(t *testing.T) {
	data, err := os.ReadFile(tablePath)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), tableBegin)
	table, tail, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("deployments/README.md has no %q … %q", tableBegin, tableEnd)
	}
	want := configurationTable()
	if table == want {
		return
	}
	if !*update {
		t.Fatal("the configuration table is not what config.go says; run: go generate ./...")
	}
	if err := os.WriteFile(tablePath, []byte(head+tableBegin+want+tableEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func configurationTable() string {
	var b strings.Builder
	b.WriteString("\n| variable | flag | meaning | default |\n|---|---|---|---|\n")
	for _, v := range settings() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, inCode("--", v.Flag), v.Desc, inCode("", v.Default))
	}
	b.WriteString("\n")
	return b.String()
}

// inCode is a text as code, if there is one.
func inCode(prefix, text string) string {
	if text == "" {
		return ""
	}
	return "`" + prefix + text + "`"
}

// The README is short and has its two commands: the service, and the tests as CI runs
// them.
func TestReadme(t *testing.T) {
	text := clitest.Documents(t)["README.md"]
	if len(text) > 15_000 {
		t.Errorf("the README has %d bytes, more than 15,000", len(text))
	}
	var commands []string
	for line := range strings.Lines(clitest.Fenced(t, "README.md", "sh", "go test")) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.TrimSpace(command))
	}
	if len(commands) != 2 {
		t.Fatalf("commands %q, want 2", commands)
	}
	args := strings.Fields(strings.TrimPrefix(commands[0], "go run ./cmd/signal-client "))
	if cmd, _, err := newRoot(new(cli.Program)).Find(args); err != nil || cmd.Name() != "run" {
		t.Errorf("%s: %v, %v", commands[0], cmd.Name(), err)
	}
	ci, err := os.ReadFile(root + "/.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(commands[1], "go test ", "go test -json ", 1); !strings.Contains(string(ci), want) {
		t.Errorf(".ci/run does not run %s", want)
	}
}

// Each command of the program has a line in the README.
func TestReadmeCommands(t *testing.T) {
	text := clitest.Documents(t)["README.md"]
	for _, cmd := range newRoot(new(cli.Program)).Commands() {
		if cmd.Runnable() && !(cmd.Hidden && cmd.Name() == "search-index") && !strings.Contains(text, "| `"+cmd.Name()+"` |") {
			t.Errorf("the README has no line for %s", cmd.Name())
		}
	}
}

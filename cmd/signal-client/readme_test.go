package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

const (
	tablePath  = root + "/deployments/README.md"
	tableBegin = "<!-- configuration:begin (written by go generate ./...) -->\n"
	tableEnd   = "<!-- configuration:end -->"
)

// The table of the configuration is made from the struct that reads it.
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

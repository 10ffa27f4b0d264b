package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the README")

const (
	readmePath = "../../README.md"
	tableBegin = "<!-- configuration:begin (written by go generate ./...) -->\n"
	tableEnd   = "<!-- configuration:end -->"
)

// The README's table of the configuration is made from the struct that reads it.
func TestReadmeConfiguration(t *testing.T) {
	data, err := os.ReadFile(readmePath)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), tableBegin)
	table, tail, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("README.md has no %q … %q", tableBegin, tableEnd)
	}
	want := configurationTable()
	if table == want {
		return
	}
	if !*update {
		t.Fatal("the README's configuration table is not what config.go says; run: go generate ./...")
	}
	if err := os.WriteFile(readmePath, []byte(head+tableBegin+want+tableEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func configurationTable() string {
	var b strings.Builder
	b.WriteString("\n| variable | flag | meaning | default |\n|---|---|---|---|\n")
	for _, s := range new(config).sections() {
		for v := range variables(s) {
			flag := ""
			if name := v.Flag(); name != "" {
				flag = "`--" + name + "`"
			}
			byDefault := ""
			if v.Default != "" {
				byDefault = "`" + v.Default + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, flag, v.Desc, byDefault)
		}
	}
	b.WriteString("\n")
	return b.String()
}

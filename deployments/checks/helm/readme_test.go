package helm

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

//go:generate go test . -run ^TestReadme$ -update

var update = flag.Bool("update", false, "write the table of values into the chart's README.md")

// The chart's README.md lists the values as values.yaml has them; -update writes it.
func TestReadme(t *testing.T) {
	path := filepath.Join(chartDir, "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- values:begin (written by task generate) -->\n", "<!-- values:end -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		t.Fatalf("%s has no place for the table", path)
	}
	var table strings.Builder
	table.WriteString("\n| value | meaning | default |\n|---|---|---|\n")
	rows := valueRows(t)
	for _, row := range rows {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", row.path, row.meaning, row.value)
	}
	want := before + begin + table.String() + "\n" + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want || len(rows) < 50 {
		t.Errorf("%s is not up to date (%d values): run task generate", path, len(rows))
	}
}

// valueRow is a value or a section of values.yaml.
type valueRow struct{ path, meaning, value string }

// valueRows reads values.yaml. A section is a mapping with comments inside.
func valueRows(t *testing.T) []valueRow {
	t.Helper()
	var rows []valueRow
	var read func(at string, section *yaml.Node)
	read = func(at string, section *yaml.Node) {
		for i := 0; i < len(section.Content); i += 2 {
			key, value := section.Content[i], section.Content[i+1]
			path := at + key.Value
			meaning := comment(key.HeadComment)
			if isSection(value) {
				if meaning != "" {
					rows = append(rows, valueRow{path, meaning, ""})
				}
				read(path+".", value)
				continue
			}
			if meaning == "" {
				t.Errorf("values.yaml: %s has no comment", path)
			}
			rows = append(rows, valueRow{path, meaning, shown(t, value)})
		}
	}
	read("", valuesNode(t))
	return rows
}

func valuesNode(t *testing.T) *yaml.Node {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0]
}

// comment returns the last paragraph of a comment: the one that belongs to the value.
func comment(head string) string {
	all := strings.Split(strings.TrimSpace(head), "\n\n")
	return strings.ReplaceAll(strings.TrimPrefix(strings.ReplaceAll(all[len(all)-1], "\n# ", " "), "# "), "|", `\|`)
}

func isSection(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].HeadComment != "" || isSection(n.Content[i+1]) {
			return true
		}
	}
	return false
}

func shown(t *testing.T, n *yaml.Node) string {
	t.Helper()
	var value any
	if err := n.Decode(&value); err != nil {
		t.Fatal(err)
	}
	if value == "" {
		return ""
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return "`" + strings.Trim(string(text), `"`) + "`"
}

// The schema has every value of values.yaml, and no other.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Properties map[string]schema `json:"properties"`
		Additional any               `json:"additionalProperties"`
	}
	var whole schema
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	var compare func(at string, s schema, n *yaml.Node)
	compare = func(at string, s schema, n *yaml.Node) {
		there := map[string]bool{"global": at == ""} // Helm's own
		for i := 0; i < len(n.Content); i += 2 {
			name := n.Content[i].Value
			there[name] = true
			inner, ok := s.Properties[name]
			if !ok {
				t.Errorf("the schema has no %s%s", at, name)
			}
			if isSection(n.Content[i+1]) {
				compare(at+name+".", inner, n.Content[i+1])
			}
		}
		if s.Additional != false {
			t.Errorf("the schema accepts misspelt names in %q", at)
		}
		for name := range s.Properties {
			if !there[name] {
				t.Errorf("values.yaml has no %s%s", at, name)
			}
		}
	}
	compare("", whole, valuesNode(t))
}

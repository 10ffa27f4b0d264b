package okta

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/schemas"
)

// schemaTypes are the types of the schema, by a field's.
var schemaTypes = map[string]string{
	"object": "object", "kind": "<nil>", "number": "number", "share": "number", "truth": "boolean", "hosts": "array",
	"host": "string", "proxy": "string", "url": "string", "text": "string", "duration": "string", "since": "string", "expression": "string", "path": "string", "variable": "string", "secret": "string",
}

// The schema has the fields of the table and no others, with their types and defaults.
func TestSchemaHasTheFields(t *testing.T) {
	data, err := schemas.Files.ReadFile("integration.json")
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]any{}
	var walk func(path string, schema map[string]any)
	walk = func(path string, schema map[string]any) {
		found[path] = schema
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			walk(strings.TrimPrefix(path+"."+name, "."), property.(map[string]any))
		}
	}
	walk("", whole)
	for _, f := range fields {
		schema, ok := found[f.Path]
		if !ok {
			t.Errorf("the schema has no %q", f.Path)
			continue
		}
		delete(found, f.Path)
		if is, want := strings.Replace(fmt.Sprint(schema["type"]), "integer", "number", 1), schemaTypes[f.Type]; is != want {
			t.Errorf("%q is of type %q in the schema, want %q", f.Path, is, want)
		}
		if schema["default"] != f.Default {
			t.Errorf("the default of %q is %v in the schema, want %v", f.Path, schema["default"], f.Default)
		}
	}
	for path := range found {
		t.Errorf("the table has no %q", path)
	}
}

// documentedField is a row of the README's table.
var documentedField = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| (.*) \\| (.*?) ?\\|$")

// The README has the fields of the table and no others, with their defaults.
func TestReadmeHasTheFields(t *testing.T) {
	text, err := os.ReadFile("../../cmd/signal-client/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| field | meaning | default |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[string]bool{}
	for _, row := range documentedField.FindAllStringSubmatch(table, -1) {
		f := fieldAt(row[1])
		if documented[row[1]] = true; f.Path == "" {
			t.Errorf("the table of fields has no %s", row[1])
		}
		want := ""
		if f.Default != nil {
			want = fmt.Sprintf("`%v`", f.Default)
		}
		if got := row[3]; got != want && !(want == "" && !strings.Contains(got, "`")) {
			t.Errorf("the default of %s is %s in the README, want %s", row[1], got, want)
		}
	}
	for _, f := range fields {
		alias := f.Path == "poll_interval_minutes" && strings.Contains(table, "`"+f.Path+"`") // beside poll_interval
		if f.Type != "object" && !documented[f.Path] && !alias {
			t.Errorf("the README has no %s", f.Path)
		}
	}
}

// Rows of the table are unique and complete, and refer to rows that exist.
func TestFieldsFit(t *testing.T) {
	for _, f := range fields {
		if !reflect.DeepEqual(fieldAt(f.Path), f) || schemaTypes[f.Type] == "" {
			t.Errorf("%q is there twice, or of no known type", f.Path)
		}
		if f.Instead != "" && fieldAt(f.Instead).Path == "" || (f.Flag != "") != (f.Desc != "") || f.Flag != "" && !f.Settable {
			t.Errorf("%+v does not fit", f)
		}
	}
}

// Package schemas holds the JSON Schemas (2020-12) of every value that signal-client
// stores in NATS and of Okta's LogEvent, an AsyncAPI document of its subjects, an OpenAPI
// document of the console's API, and the validation of values.
//
// A schema says what a writer should write. Readers accept more: members that a schema
// does not name are never refused. A valid value may still be wrong in ways that a schema
// can't express; the program's own parsers check those. Start reading at [Validate].
package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Files are the schemas, as <name>.json, asyncapi.json and openapi.json.
//
//go:embed *.json
var Files embed.FS

// base is the prefix of every $id. Nothing is ever fetched from there.
const base = "https://github.com/witfoo/signal-client/schemas/"

// Names are the schemas that Validate knows. A "deadletter" is a dead letter's headers.
var Names = []string{"integration", "position", "cursor", "lock", "session", "status", "budget", "deadletter", "logevent", "doctor", "replica", "advisory", "backfill", "export", "search", "console-session", "console-token", "change", "history", "notification", "notification-channel", "notification-rule"}

// compiled holds each schema, compiled on first use.
var compiled = compilers()

func compilers() map[string]func() (*jsonschema.Schema, error) {
	m := make(map[string]func() (*jsonschema.Schema, error), len(Names))
	for _, name := range Names {
		m[name] = sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(name) })
	}
	return m
}

// compile reads a schema and those that it refers to from Files.
func compile(name string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(embedded{})
	return c.Compile(base + name + ".json")
}

// embedded loads schemas from Files only.
type embedded struct{}

func (embedded) Load(url string) (any, error) {
	name, ok := strings.CutPrefix(url, base)
	if !ok {
		return nil, fmt.Errorf("schema %s is not embedded", url)
	}
	data, err := Files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// Validate checks a JSON value against one of Names. An invalid value returns an *Error
// with all complaints, which shows nothing from "credentials". Safe for concurrent use.
func Validate(name string, data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return &Error{Complaints: []Complaint{{Problem: notJSON(err)}}}
	}
	return ValidateValue(name, value)
}

// ValidateValue is Validate for a value decoded by encoding/json into an any.
func ValidateValue(name string, value any) error {
	get, ok := compiled[name]
	if !ok {
		return fmt.Errorf("no schema %q", name)
	}
	schema, err := get()
	if err != nil {
		return fmt.Errorf("compile schema %s: %w", name, err)
	}
	err = schema.Validate(value)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return &Error{Complaints: complaints(invalid)}
	}
	return err
}

// notJSON says why bytes can't be parsed without quoting them: an out-of-range number
// would be quoted, and might be a secret.
func notJSON(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("is not valid JSON at byte %d: %s", syntax.Offset, syntax.Error())
	}
	return "is not valid JSON: a number is out of range"
}

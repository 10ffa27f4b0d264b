package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/witfoo/signal-client/schemas"
)

// document is openapi.json.
var document = sync.OnceValue(func() map[string]any {
	data, err := schemas.Files.ReadFile("openapi.json")
	if err != nil {
		panic(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		panic(err)
	}
	return doc
})

// operation returns what the document says of a method of a path; nil: nothing.
func operation(method, at string) map[string]any {
	for template, item := range document()["paths"].(map[string]any) {
		pattern := template
		for _, name := range []string{"{instance}", "{seq}", "{id}", "{name}", "{endpoint}"} {
			pattern = strings.ReplaceAll(pattern, name, "*")
		}
		fits, _ := path.Match(pattern, at)
		if op, _ := item.(map[string]any)[strings.ToLower(method)].(map[string]any); fits && op != nil && (pattern == at || !slices.Contains(exact, at)) {
			return op
		}
	}
	return nil
}

// exact are paths that a pattern fits, too.
var exact = []string{"/integrations/test", "/integrations/import"}

// resolved follows a reference within the document.
func resolved(at any) map[string]any {
	m, _ := at.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var found any = document()
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		found = found.(map[string]any)[name]
	}
	return found.(map[string]any)
}

// embedded loads the schemas that the document refers to.
type embedded struct{}

func (embedded) Load(url string) (any, error) {
	data, err := schemas.Files.ReadFile(path.Base(url))
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// compiled returns a schema of the document.
func compiled(schema any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(embedded{})
	c.AssertFormat()
	const at = "https://github.com/witfoo/signal-client/schemas/response.json"
	inlined, err := inline(schema)
	if err != nil {
		return nil, err
	}
	if err := c.AddResource(at, inlined); err != nil {
		return nil, err
	}
	return c.Compile(at)
}

// inline gives a schema the document's own schemas as $defs.
func inline(schema any) (any, error) {
	data, err := json.Marshal(map[string]any{"allOf": []any{schema}, "$defs": document()["components"].(map[string]any)["schemas"]})
	if err != nil {
		return nil, err
	}
	data = bytes.ReplaceAll(data, []byte(`"#/components/schemas/`), []byte(`"#/$defs/`))
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// conforms holds an answer against the document.
func (f *fixture) conforms(method, at string, answer *http.Response, data []byte) {
	f.Helper()
	at, _, _ = strings.Cut(at, "?")
	at, ours := strings.CutPrefix(at, root)
	if !ours || answer.StatusCode == http.StatusMethodNotAllowed {
		return
	}
	op := operation(method, at)
	if op == nil {
		f.Errorf("%s %s is not described", method, at)
		return
	}
	described, ok := op["responses"].(map[string]any)[fmt.Sprint(answer.StatusCode)]
	if !ok {
		f.Errorf("%s %s: status %d is not described: %s", method, at, answer.StatusCode, data)
		return
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	content, _ := resolved(described)["content"].(map[string]any)
	if answer.StatusCode == http.StatusNoContent && content == nil {
		return
	}
	media, ok := content[kind].(map[string]any)
	if !ok {
		f.Errorf("%s %s: status %d in %s is not described", method, at, answer.StatusCode, kind)
		return
	}
	f.fits(media["schema"], kind, data)
}

// fits validates an answer's body.
func (f *fixture) fits(schema any, kind string, data []byte) {
	f.Helper()
	parts := [][]byte{data}
	switch kind {
	case "application/x-ndjson":
		parts = bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	case "application/octet-stream":
		return
	}
	s, err := compiled(schema)
	if err != nil {
		f.Fatal(err)
	}
	for _, part := range parts {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(part))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			f.Errorf("%s: %v", part, err)
		}
	}
}

// The document has the routes that there are, each with its role, and no other.
func TestRoutesAreDescribed(t *testing.T) {
	if v := document()["openapi"]; v != "3.1.0" {
		t.Errorf("openapi is %v", v)
	}
	described := map[string]string{} // role by route
	for template, item := range document()["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if op, ok := op.(map[string]any); ok && op["operationId"] != nil && !strings.HasPrefix(template, "/select/") {
				described[strings.ToUpper(method)+" "+template], _ = op["x-role"].(string)
			}
		}
	}
	for _, r := range (&api{}).routes() {
		role := map[bool]string{true: "admin", false: "viewer"}[r.admin]
		if at := r.method + " " + r.path; described[at] != role {
			t.Errorf("%s is for %s and described for %q", at, role, described[at])
		} else {
			delete(described, at)
		}
	}
	if len(described) > 0 {
		t.Errorf("described but not served: %v", described)
	}
	endpoints, _ := document()["paths"].(map[string]any)["/select/logsql/{endpoint}"].(map[string]any)["parameters"].([]any)
	listed, _ := json.Marshal(endpoints[0].(map[string]any)["schema"].(map[string]any)["enum"])
	if served, _ := json.Marshal(logsql); !bytes.Equal(listed, served) {
		t.Errorf("described are %s, served %s", listed, served)
	}
}

// A body that does not fit is noticed.
func TestSchemasOfAnswersBite(t *testing.T) {
	for name, bad := range map[string]string{
		"Integration": `{"instance":"a","settings":{},"revision":1,"origin":"x","credentials":{"api_token":"00abc"}}`,
		"Problem":     `{"title":"x"}`, "Check": `{"check":"x","result":"fine"}`, "Fleet": `{}`, "Status": `{"version":1}`, "Strip": `{"ticks":[{}]}`, "Signal": `{"seq":"1"}`,
	} {
		s, err := compiled(map[string]any{"$ref": "#/components/schemas/" + name})
		if err != nil {
			t.Fatal(name, err)
		}
		v, _ := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if s.Validate(v) == nil {
			t.Errorf("%s passes as %s", bad, name)
		}
	}
}

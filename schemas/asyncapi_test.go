package schemas

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// at follows a JSON pointer.
func at(v any, pointer string) (any, bool) {
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]; !ok {
			return nil, false
		}
	}
	return v, true
}

// references calls found with each $ref below v.
func references(v any, found func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			found(ref)
		}
		for _, sub := range v {
			references(sub, found)
		}
	case []any:
		for _, sub := range v {
			references(sub, found)
		}
	}
}

// referredSchema is the schema that {"$ref": "./name.json"} names.
func referredSchema(v any) string {
	m, _ := v.(map[string]any)
	if inner, ok := m["schema"]; ok {
		return referredSchema(inner)
	}
	ref, _ := m["$ref"].(string)
	return strings.TrimSuffix(strings.TrimPrefix(ref, "./"), ".json")
}

func TestReferencesOfTheAsyncAPIDocumentResolve(t *testing.T) {
	doc := object(t, "asyncapi.json")
	if doc["asyncapi"] != "3.1.0" {
		t.Errorf("asyncapi %v, want 3.1.0", doc["asyncapi"])
	}
	count := 0
	references(doc, func(ref string) {
		count++
		if pointer, ok := strings.CutPrefix(ref, "#"); ok {
			if _, ok := at(doc, pointer); !ok {
				t.Errorf("%s leads nowhere", ref)
			}
			return
		}
		if _, err := Files.ReadFile(strings.TrimPrefix(ref, "./")); err != nil {
			t.Errorf("%s leads nowhere: %v", ref, err)
		}
	})
	if count < 15 {
		t.Errorf("only %d references found", count)
	}
}

func TestAddressesDeclareTheirParameters(t *testing.T) {
	channels, _ := object(t, "asyncapi.json")["channels"].(map[string]any)
	addresses := map[string]bool{}
	for name, c := range channels {
		c := c.(map[string]any)
		address := c["address"].(string)
		addresses[address] = true
		declared, _ := c["parameters"].(map[string]any)
		used := regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(address, -1)
		if len(used) != len(declared) {
			t.Errorf("%s uses %d parameters and declares %d", name, len(used), len(declared))
		}
		for _, p := range used {
			if declared[p[1]] == nil {
				t.Errorf("%s does not declare {%s}", name, p[1])
			}
		}
	}
	for _, want := range []string{"signals.okta.{instance}", "signal-cursor.okta.{instance}", "deadletter.okta.{instance}",
		"signal-client.advisory.{kind}.{instance}", "signal-client.wake.{instance}", "signal-client.status", "signal-client.status.{replica}"} {
		if !addresses[want] {
			t.Errorf("no channel has the address %s", want)
		}
	}
}

func TestExamplesOfMessagesFitTheirSchemas(t *testing.T) {
	messages, _ := at(object(t, "asyncapi.json"), "/components/messages")
	for name, m := range messages.(map[string]any) {
		m := m.(map[string]any)
		examples, _ := m["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, e := range examples {
			e := e.(map[string]any)
			if schema := referredSchema(m["payload"]); schema != "" {
				check(t, name+" payload", ValidateValue(schema, e["payload"]))
			}
			if m["headers"] != nil {
				checkHeaders(t, name, m["headers"], e["headers"])
			}
		}
	}
}

// checkHeaders holds headers against the schema in the document, or the one that it names.
func checkHeaders(t *testing.T, name string, schema, headers any) {
	t.Helper()
	for header, value := range headers.(map[string]any) {
		if _, ok := value.(string); !ok {
			t.Errorf("%s: header %s is no string", name, header)
		}
	}
	if referred := referredSchema(schema); referred != "" {
		check(t, name+" headers", ValidateValue(referred, headers))
		return
	}
	compiled, err := compileInline(schema)
	if err != nil {
		t.Fatalf("%s: its headers' schema: %v", name, err)
	}
	check(t, name+" headers", compiled.Validate(headers))
}

func check(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: the example does not fit: %v", what, err)
	}
}

func TestHeaderSchemaOfEventsBites(t *testing.T) {
	schema, _ := at(object(t, "asyncapi.json"), "/components/messages/oktaEvent/headers")
	compiled, err := compileInline(schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`{"ce-specversion":"1.0","ce-id":"a","ce-source":"https://a.okta.com/","ce-type":"com.okta.x","ce-datacontenttype":"application/json"}`,
		`{"Ce-Specversion":"1.0","ce-id":"a","ce-source":"https://a.okta.com","ce-type":"com.okta.x","ce-datacontenttype":"application/json"}`,
		`{"ce-specversion":"1.0","ce-id":"a","ce-source":"https://a.okta.com","ce-type":"com.okta.x","ce-datacontenttype":"application/json","ce-time":"noon"}`,
	} {
		var headers any
		if err := json.Unmarshal([]byte(bad), &headers); err != nil {
			t.Fatal(err)
		}
		if compiled.Validate(headers) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

func TestValuesOfBucketsFitTheirSchemas(t *testing.T) {
	buckets, _ := object(t, "asyncapi.json")["x-kv"].(map[string]any)
	for _, bucket := range []string{"INTEGRATIONS", "CURSORS", "LOCKS", "STATUS", "BUDGETS", "BACKFILLS", "CHANGES", "HISTORY", "NOTIFICATIONS", "NOTIFIED"} {
		keys, _ := at(buckets, "/"+bucket+"/keys")
		list, _ := keys.([]any)
		if len(list) == 0 {
			t.Errorf("bucket %s has no key", bucket)
		}
		for _, k := range list {
			k := k.(map[string]any)
			for _, example := range k["examples"].([]any) {
				check(t, bucket, ValidateValue(referredSchema(k["value"]), example))
			}
		}
	}
}

// compileInline compiles a schema that stands in the document itself.
func compileInline(schema any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(embedded{})
	if err := c.AddResource(base+"inline", schema); err != nil {
		return nil, err
	}
	return c.Compile(base + "inline")
}

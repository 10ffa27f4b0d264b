package schemas

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

// object reads a JSON object of the embedded files.
func object(t *testing.T, file string) map[string]any {
	t.Helper()
	data, err := Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return m
}

func TestEachSchemaTakesItsOwnExamples(t *testing.T) {
	for _, name := range Names {
		m := object(t, name+".json")
		if id := base + name + ".json"; m["$id"] != id {
			t.Errorf("%s: $id %v, want %s", name, m["$id"], id)
		}
		examples, _ := m["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, example := range examples {
			if err := ValidateValue(name, example); err != nil {
				t.Errorf("%s: its own example: %v", name, err)
			}
		}
	}
}

func TestEveryFileIsNamed(t *testing.T) {
	entries, err := Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".json")
		if name != "asyncapi" && name != "openapi" && !slices.Contains(Names, name) {
			t.Errorf("%s is in no list", e.Name())
		}
	}
}

// undescribed lists the properties below a schema that have no description;
// a reference describes itself.
func undescribed(at string, v any) []string {
	var missing []string
	switch v := v.(type) {
	case map[string]any:
		props, _ := v["properties"].(map[string]any)
		for name, p := range props {
			m, _ := p.(map[string]any)
			if m["description"] == nil && m["$ref"] == nil {
				missing = append(missing, at+"."+name)
			}
		}
		for key, sub := range v {
			if key != "examples" && key != "payload" {
				missing = append(missing, undescribed(at+"."+key, sub)...)
			}
		}
	case []any:
		for _, sub := range v {
			missing = append(missing, undescribed(at, sub)...)
		}
	}
	return missing
}

func TestEveryPropertyIsDescribed(t *testing.T) {
	for _, name := range append([]string{"asyncapi"}, Names...) {
		for _, at := range undescribed(name, object(t, name+".json")) {
			t.Errorf("%s has no description", at)
		}
	}
}

func TestComplaintsNameTheFieldAndWhatIsWrong(t *testing.T) {
	const settings = `"settings":{"fqdn":"acme.okta.com"}`
	for _, tc := range []struct{ name, data, want string }{
		{"integration", `{` + settings + `}`, ""},
		{"integration", `{` + settings + `,"colour":{"any":1}}`, ""},
		{"integration", `{"settings":{"rate_share":3}}`, "settings.rate_share: must be at most 1, got 3"},
		{"integration", `{"settings":{"rate_share":0}}`, "settings.rate_share: must be above 0, got 0"},
		{"integration", `{"settings":{"limit":1000}}`, "settings.limit: must be at most 999, got 1000"},
		{"integration", `{"settings":{"limit":1.5}}`, "settings.limit: must be a whole number, got a number"},
		{"integration", `{"settings":{"link_hosts":[""]}}`, "settings.link_hosts[0]: must not be empty"},
		{"integration", `{"enabled":"perhaps",` + settings + `}`, "enabled: must be true or false, got a string"},
		{"integration", `{"integration_type":"duo",` + settings + `}`, `integration_type: must be "okta", got "duo"`},
		{"integration", `{}`, "settings: is missing"},
		{"integration", `[]`, "the value must be an object, got a list"},
		{"integration", `{"settings":{"limit":0,"fqdn":1},"enabled":1}`, "enabled: must be true or false, got a number; " +
			"settings.fqdn: must be a string, got a number; settings.limit: must be at least 1, got 0"},
		{"integration", `{`, "the value is not valid JSON at byte 1: unexpected end of JSON input"},
		{"integration", `{} {}`, "the value is not valid JSON at byte 4: invalid character '{' after top-level value"},
		{"lock", `{"holder":"a"}`, "session: is missing"},
		{"lock", `{"holder":"a","session":"b","acquired_at":"noon"}`, `acquired_at: must be a time as in RFC 3339, got "noon"`},
		{"session", `{"id":"a","declines":["A B"]}`, `declines[0]: must match ^[a-z0-9][a-z0-9-]{0,62}$, got "A B"`},
		{"status", `{"version":1,"instance":"a","state":"gone","updated_at":"2026-11-22T10:20:03Z"}`,
			`state: must be one of "new", "polling", "catching up", "throttled", "retrying", "credential refused", "configuration error", "unowned", "disabled", got "gone"`},
		{"logevent", `{"uuid":"a","target":[{"id":7}]}`, "target[0].id: must be null or a string, got a number"},
		{"logevent", `{"published":"2026-11-22T10:20:03.251976Z","eventType":null}`, "eventType: must be a string, got null; uuid: is missing"},
	} {
		err := Validate(tc.name, []byte(tc.data))
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s %s: %v", tc.name, tc.data, err)
			}
			continue
		}
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s %s:\n got %v\nwant %s", tc.name, tc.data, err, tc.want)
		}
	}
}

func TestACursorIsAPositionWithItsPlace(t *testing.T) {
	err := Validate("cursor", []byte(`{"version":1,"link":"https://evil.example/api/v1/logs","origin":"https://acme.okta.com","query":"",
		"events":0,"dedupe_from":0,"why":"start","at":"2026-11-22T10:20:03Z","next":"/api/v1/logs","stream_seq":1,"stream_created":"2026-11-22T10:20:03Z"}`))
	want := `link: must match ^/api/v1/logs(\?|$), got "https://evil.example/api/v1/logs"; updated_at: is missing`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestNothingUnderCredentialsIsShown(t *testing.T) {
	const token = "00aBcDeFgH"
	for _, data := range []string{
		`{"credentials":"` + token + `"}`,
		`{"credentials":{"api_token":["` + token + `"]}}`,
		`{"credentials":{"api_token":"","api_token_file":{"x":"` + token + `"}}}`,
		`{"credentials":{"api_token":7e400}}`,
	} {
		err := Validate("integration", []byte(data))
		if err == nil {
			t.Fatalf("%s passes", data)
		}
		if strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "7e400") {
			t.Errorf("%s: %v shows a credential", data, err)
		}
	}
}

func TestAnUnknownSchemaIsNoComplaint(t *testing.T) {
	err := Validate("nonsense", []byte(`{}`))
	if _, ok := errors.AsType[*Error](err); ok || err == nil {
		t.Errorf("got %v, want an error that is no complaint", err)
	}
}

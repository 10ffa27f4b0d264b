package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestMember(t *testing.T) {
	for _, test := range []struct{ data, path, want string }{
		{`{"actor":{"id":"a"}}`, "actor id", `"a"`},
		{` { "actor" : { "id" : [ 1 ] } } `, "actor id", `[ 1 ]`},
		{`{"actor":{"id":"a"}}`, "actor", `{"id":"a"}`},
		{`{"actor":"a"}`, "actor id", ``},
		{`{"actor":null,"x":{"id":"a"}}`, "actor id", ``},
		{`{"Actor":{"id":"no"},"actor":{"ID":"no","id":"a"},"ACTOR":{"id":"no"}}`, "actor id", `"a"`},
		{`{"actor":{"id":"first"},"actor":{"id":"last"}}`, "actor id", `"last"`},
		{`{"actor":{"id":"first"},"actor":{}}`, "actor id", ``},
		{`{"\u0061ctor":{"i\u0064":7}}`, "actor id", `7`},
		{`{"actor":{"id":"a"}} x`, "actor id", ``},
		{`{"actor":{"id":"a"},"x":01}`, "actor id", ``},
		{`[{"actor":1}]`, "actor", ``},
		{``, "actor", ``},
		{`{"":1}`, "", `1`},
	} {
		if got := Member([]byte(test.data), strings.Split(test.path, " ")...); string(got) != test.want {
			t.Errorf("%s of %s: %s, want %s", test.path, test.data, got, test.want)
		}
	}
}

func TestText(t *testing.T) {
	for data, want := range map[string]string{
		`{"a":"x"}`: "x", `{"a":7}`: "", `{"a":null}`: "", `{}`: "", `{"a":"\u00fc\n"}`: "ü\n", `{"a":"\ud800"}`: "\ufffd", `{"a":["x"]}`: "",
	} {
		if got := Text([]byte(data), "a"); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}

// FuzzMember compares Member and Text with encoding/json, which decodes into a map: exact
// names, and the last of repeated ones.
func FuzzMember(f *testing.F) {
	for _, seed := range []string{
		`{"actor":{"id":"a","alternateId":7},"client":{"ipAddress":null},"outcome":{"result":"FAILURE"}}`,
		`{"actor":null,"Actor":{"id":"a"}}`, `{"actor":{"id":1},"actor":{"id":"\ud83d\ude00"}}`, `{"\u0061ctor":[{"id":1}]}`, `[1]`, `{"actor":{"id":"a"}}}`, "{\"actor\":{\"id\":\"\xff\"}}",
	} {
		f.Add([]byte(seed))
	}
	paths := [][]string{{"actor"}, {"actor", "id"}, {"client", "ipAddress"}, {"outcome", "result"}, {"uuid"}, {""}}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, path := range paths {
			want := reference(data, path)
			if got := Member(bytes.Clone(data), path...); !bytes.Equal(got, want) {
				t.Fatalf("%q of %q: %q, encoding/json: %q", path, data, got, want)
			}
			var text string
			if want == nil || json.Unmarshal(want, &text) != nil {
				text = ""
			}
			if got := Text(data, path...); got != text {
				t.Fatalf("%q of %q: %q, encoding/json: %q", path, data, got, text)
			}
		}
	})
}

func reference(data []byte, path []string) []byte {
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) != nil || members[name] == nil {
			return nil
		}
		data = members[name]
	}
	return data
}

func BenchmarkText(b *testing.B) {
	data := []byte(`{"actor":{"id":"00u1","alternateId":"jane@acme.com"},"x":"` + strings.Repeat("y", 1000) + `","outcome":{"result":"FAILURE"}}`)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Text(data, "outcome", "result")
	}
}

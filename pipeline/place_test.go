package pipeline

import (
	"strings"
	"testing"
)

// TestPlace moves what other writers put elsewhere, and touches nothing else.
func TestPlace(t *testing.T) {
	k := &Kind{Fields: []Field{
		{Path: "settings.fqdn", Also: []string{"fqdn", "credentials.fqdn"}},
		{Path: "credentials.api_token", Also: []string{"api_token"}},
	}}
	for value, want := range map[string]string{
		`{"fqdn":"a","api_token":"t","x":1}`:                              `{"credentials":{"api_token":"t"},"settings":{"fqdn":"a"},"x":1} fqdn api_token`,
		`{"credentials":{"fqdn":"a","api_token":"t"}}`:                    `{"credentials":{"api_token":"t"},"settings":{"fqdn":"a"}} credentials.fqdn`,
		`{"settings":{"fqdn":"a","y":2},"fqdn":"b","api_token":"t"}`:      `{"credentials":{"api_token":"t"},"settings":{"fqdn":"a","y":2}} fqdn api_token`,
		`{"settings":{"fqdn":""},"credentials":null,"fqdn":"b"}`:          `{"credentials":{},"settings":{"fqdn":"b"}} fqdn`,
		`{"fqdn":"b","credentials":{"fqdn":"c"}}`:                         `{"credentials":{},"settings":{"fqdn":"b"}} fqdn credentials.fqdn`,
		"\ufeff" + `{"fqdn":"a<b"}`:                                       `{"settings":{"fqdn":"a<b"}} fqdn`,
		`{ "settings": {"fqdn": "a"}, "credentials": {"api_token":"t"} }`: `{ "settings": {"fqdn": "a"}, "credentials": {"api_token":"t"} }`,
		`{"settings":"wrong","fqdn":"a"}`:                                 `{"settings":"wrong","fqdn":"a"}`,
		`[1]`:                                                             `[1]`,
		`{"fqdn"`:                                                         `{"fqdn"`,
	} {
		placed, moved := k.Place([]byte(value))
		if got := strings.TrimSuffix(string(placed)+" "+strings.Join(moved, " "), " "); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", value, got, want)
		}
	}
}

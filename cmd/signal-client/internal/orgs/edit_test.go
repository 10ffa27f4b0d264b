package orgs

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

func value(t *testing.T, text string) Value {
	t.Helper()
	v, err := ReadValue([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

const stored = `{"enabled":true,"name":"Acme","poll_interval":"5m","x":{"of":"others"},` +
	`"settings":{"fqdn":"acme.okta.com","filter":"f"},"credentials":{"api_token":"s3cret"}}`

// An edit changes the named fields only: a secret that it leaves out stays, and so do
// fields that others wrote.
func TestMerged(t *testing.T) {
	for _, c := range []struct {
		name, edit string
		whole      bool
		want       string
	}{
		{"a patch", `{"name":"New","settings":{"filter":null}}`, false,
			`{"enabled":true,"name":"New","poll_interval":"5m","x":{"of":"others"},"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"s3cret"}}`},
		{"a whole value", `{"settings":{"fqdn":"b.okta.com"},"instance":"acme","revision":7,"credentials":{"api_token":{"set":true}}}`, true,
			`{"x":{"of":"others"},"settings":{"fqdn":"b.okta.com"},"credentials":{"api_token":"s3cret"}}`},
		{"an empty secret", `{"credentials":{"api_token":""}}`, false, stored},
		{"no credential", `{"settings":{"fqdn":"acme.okta.com","filter":"f"},"enabled":true,"name":"Acme","poll_interval":"5m"}`, true, stored},
		{"another secret", `{"credentials":{"api_token":"new"}}`, false,
			`{"enabled":true,"name":"Acme","poll_interval":"5m","x":{"of":"others"},"settings":{"fqdn":"acme.okta.com","filter":"f"},"credentials":{"api_token":"new"}}`},
		{"a file instead", `{"credentials":{"api_token_file":"/run/t","api_token":""}}`, false,
			`{"enabled":true,"name":"Acme","poll_interval":"5m","x":{"of":"others"},"settings":{"fqdn":"acme.okta.com","filter":"f"},"credentials":{"api_token_file":"/run/t"}}`},
		{"a proxy's password beside the token", `{"settings":{"proxy":"http://svc@p:1"},"credentials":{"proxy_password":"pw"}}`, false,
			`{"enabled":true,"name":"Acme","poll_interval":"5m","x":{"of":"others"},"settings":{"fqdn":"acme.okta.com","filter":"f","proxy":"http://svc@p:1"},"credentials":{"api_token":"s3cret","proxy_password":"pw"}}`},
		{"the same in minutes", `{"poll_interval_minutes":1,"settings":{"base_url":"http://127.0.0.1:1"}}`, false,
			`{"enabled":true,"name":"Acme","poll_interval_minutes":1,"x":{"of":"others"},"settings":{"base_url":"http://127.0.0.1:1","filter":"f"},"credentials":{"api_token":"s3cret"}}`},
	} {
		if got := value(t, stored).Merged(value(t, c.edit), c.whole); !got.Equal(value(t, c.want)) {
			t.Errorf("%s: got  %s\nwant %s", c.name, got.Encode(), c.want)
		}
	}
}

// What is shown has a mask for each secret and the defaults.
func TestMasked(t *testing.T) {
	v := value(t, `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"s3cret","other":"s3cret"},"password":"s3cret"}`)
	want := `{"enabled":true,"integration_type":"okta","poll_interval":"5m",` +
		`"settings":{"fqdn":"acme.okta.com","since":"24h","limit":999,"rate_share":0.5},"credentials":{"api_token":{"set":true}}}`
	if got := v.Masked(); !got.Equal(value(t, want)) {
		t.Errorf("got  %s\nwant %s", got.Encode(), want)
	}
}

// A password in the URL of a proxy, where it must not be, is not shown either; and a new
// token leaves the proxy's password.
func TestProxySecrets(t *testing.T) {
	v := value(t, `{"settings":{"fqdn":"acme.okta.com","proxy":"http://svc:s3cret@p:1"},"credentials":{"api_token_file":"/run/t","proxy_password":"s3cret"}}`)
	if shown := string(v.Masked().Encode()); strings.Contains(shown, "s3cret") || !strings.Contains(shown, `"proxy_password":{"set":true}`) {
		t.Error(shown)
	}
	for _, c := range Diff(nil, v) {
		if strings.Contains(fmt.Sprint(c.From, c.To), "s3cret") {
			t.Errorf("the record of the change shows %+v", c)
		}
	}
	v.SetToken(pipeline.NewSecret("new"))
	if v.At(ProxyPasswordPath) != "s3cret" || v.At(TokenFilePath) != nil {
		t.Errorf("a new token leaves %s", v.Encode())
	}
	v.Put(proxyPath, "http://svc@p:1")
	if at := v.WithoutSecrets().At(proxyPath); at != "http://svc@p:1" {
		t.Errorf("the user is not shown: %v", at)
	}
}

// A record of a change names each changed field, but for a secret only whether it was
// set, changed or removed.
func TestDiff(t *testing.T) {
	after := value(t, `{"enabled":true,"name":"Acme","poll_interval":"1m","x":{"token":"s3cret"},"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"other"}}`)
	want := `[{"field":"credentials.api_token","to":"changed"},{"field":"poll_interval","from":"5m","to":"1m"},` +
		`{"field":"settings.filter","from":"f"},{"field":"x.of","from":"others"},{"field":"x.token","to":"set"}]`
	if got := string(jets.Encode(Diff(value(t, stored), after))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	removed, err := json.Marshal(Diff(value(t, `{"credentials":{"api_token":"s3cret","api_token_file":"/run/t"}}`), nil))
	if want := `[{"field":"credentials.api_token","to":"removed"},{"field":"credentials.api_token_file","from":"/run/t"}]`; err != nil || string(removed) != want {
		t.Errorf("removed: %s, %v", removed, err)
	}
}

// A host name is found in whatever is pasted as one.
func TestClean(t *testing.T) {
	for pasted, want := range map[string]string{
		"https://acme-admin.okta.com/admin/dashboard": `{"settings":{"fqdn":"acme.okta.com"}}`,
		"  ACME.Okta.com \u200b ":                     `{"settings":{"fqdn":"acme.okta.com"}}`,
		"http://acme.okta.com/":                       `{"settings":{"fqdn":"acme.okta.com"}}`,
		"https://login.acme.com:443/app?x=1#y":        `{"settings":{"fqdn":"login.acme.com"}}`,
		"http://127.0.0.1:8080/x":                     `{"settings":{"base_url":"http://127.0.0.1:8080"}}`,
		"localhost:8080":                              `{"settings":{"base_url":"http://localhost:8080"}}`,
		"acme":                                        `{"settings":{"fqdn":"acme"}}`,
		"user:s3cret@acme.okta.com":                   `{"settings":{"fqdn":"user:s3cret@acme.okta.com"}}`,
		"":                                            `{"settings":{"fqdn":""}}`,
	} {
		v := Value{"settings": map[string]any{"fqdn": pasted}}
		if v.Clean(); !v.Equal(value(t, want)) {
			t.Errorf("%q became %s, want %s", pasted, v.Encode(), want)
		}
	}
}

// The default name of an integration is made from its host.
func TestSlug(t *testing.T) {
	taken := map[string]bool{"acme": true, "acme-2": true}
	for fqdn, want := range map[string]string{
		"globex.okta.com": "globex", "https://Acme-admin.okta.com/x": "acme-3", "127.0.0.1": "127-0-0-1", "http://localhost:8080": "localhost-8080", "": "", "acme": "",
	} {
		v := Value{"settings": map[string]any{"fqdn": fqdn}}
		if got := v.Slug(func(name string) bool { return taken[name] }); got != want {
			t.Errorf("%q: %q, want %q", fqdn, got, want)
		}
	}
}

// What is sealed, and not opened here, is a secret as any other: it stays unless the edit has a
// credential, it does not go to another host unnoticed, and it is not shown.
func TestSealedIsKept(t *testing.T) {
	const sealed = `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"sealed":"x1.AAAA"}}`
	was := value(t, sealed)
	for _, c := range []struct {
		name, edit string
		whole      bool
		want       string
	}{
		{"a patch", `{"name":"New"}`, false, `{"name":"New","settings":{"fqdn":"acme.okta.com"},"credentials":{"sealed":"x1.AAAA"}}`},
		{"a form", `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"","sealed":{"set":true}}}`, true, sealed},
		{"another token", `{"credentials":{"api_token":"new"}}`, false, `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"new"}}`},
		{"a variable", `{"credentials":{"api_token_env":"OKTA_TOKEN_A"}}`, false, `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token_env":"OKTA_TOKEN_A"}}`},
	} {
		if got := was.Merged(value(t, c.edit), c.whole); !got.Equal(value(t, c.want)) {
			t.Errorf("%s: got  %s\nwant %s", c.name, got.Encode(), c.want)
		}
	}
	edit := value(t, `{"settings":{"fqdn":"globex.okta.com"}}`)
	moved := was.Merged(edit, false)
	if kept := moved.KeptSecrets(was, edit); len(kept) != 1 || kept[0] != "credentials.sealed" {
		t.Errorf("the console moves %q to another host", kept)
	}
	if moved.strands(was, "acme", "it", "no key") == nil || was.strands(was, "acme", "it", "no key") != nil {
		t.Error("the command line moves it to another host")
	}
	if shown := string(was.Masked().Encode()); strings.Contains(shown, "AAAA") || !strings.Contains(shown, `"sealed":{"set":true}`) {
		t.Errorf("shown is %s", shown)
	}
	if shown := string(was.WithoutSecrets().Encode()); strings.Contains(shown, "AAAA") {
		t.Errorf("exported is %s", shown)
	}
	c := Candidate{Value: value(t, `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"client_id":"0oa1"}}`), Before: buckets.Written{Value: []byte(sealed)}}
	if c.keepSecrets(); c.Value.At(sealedPath) != "x1.AAAA" {
		t.Errorf("imported is %s", c.Value.Encode())
	}
}

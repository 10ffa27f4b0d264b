package orgs

import (
	"strings"
	"testing"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Fields that others wrote stay, to the digit; another spelling of a field that is set is
// removed.
func TestAssignKeepsWhatItDoesNotKnow(t *testing.T) {
	v, err := ReadValue([]byte("\ufeff" + `{"x":{"n":1e3,"big":12345678901234567890},"poll_interval_minutes":5,` +
		`"settings":{"base_url":"https://a.okta.com","y":null},"credentials":{"api_token":"t","z":[1.0]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"poll-interval": "1m", "settings.fqdn": "b.okta.com", "rate_share": "0.25", "link-host": "c.example, d.example",
		"filter": `a < b && c`, "limit": "many", "name": "",
	} {
		f, ok := FieldOf(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		v.Assign(f, text)
	}
	want := `{"credentials":{"api_token":"t","z":[1.0]},"poll_interval":"1m",` +
		`"settings":{"filter":"a < b && c","fqdn":"b.okta.com","limit":"many","link_hosts":["c.example","d.example"],"rate_share":0.25,"y":null},` +
		`"x":{"big":12345678901234567890,"n":1e3}}`
	if got := string(v.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_, errs := v.Check("b", v.Labelled)
	if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "--limit many: ") {
		t.Errorf("complaints are %v", errs)
	}
}

func TestAssignPutsOneCredentialInThePlaceOfTheOther(t *testing.T) {
	v := Value{}
	v.SetToken(pipeline.NewSecret("t"))
	f, _ := FieldOf("token-file")
	v.Assign(f, "/run/secrets/t")
	if got := string(v.Encode()); got != `{"credentials":{"api_token_file":"/run/secrets/t"}}` {
		t.Errorf("the file is set: %s", got)
	}
	v.SetToken(pipeline.NewSecret("t"))
	if got := string(v.Encode()); got != `{"credentials":{"api_token":"t"}}` {
		t.Errorf("the token is set: %s", got)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	for _, stored := range []string{
		`{"settings":{"base_url":"https://user:s3cret@a.okta.com/"},"credentials":{"api_token":"s3cret","private_key":"s3cret"}}`,
		`{"settings":{"fqdn":"user:s3cret@a.okta.com"},"credentials":"s3cret"}`,
		`{"settings":7,"credentials":["s3cret"]}`,
		`{"settings":{"api_token":"s3cret"},"Credentials":{"a":"s3cret"},"api-key":"s3cret","of_others":[{"Password":"s3cret"}]}`,
	} {
		v, err := ReadValue([]byte(stored))
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{string(v.WithoutSecrets().Encode())}
		_, errs := v.Check("a", v.Labelled)
		_, more := v.Check("a", Candidate{Instance: "a", Place: "line 2", Value: v}.label)
		for _, err := range append(errs, more...) {
			texts = append(texts, err.Error())
		}
		if text := strings.Join(texts, "\n"); len(texts) < 3 || strings.Contains(text, "s3cret") {
			t.Errorf("of %s is shown:\n%s", stored, text)
		}
	}
}

// Importing an export removes nothing of what the export left out.
func TestImportKeepsWhatExportLeavesOut(t *testing.T) {
	for _, stored := range []string{
		`{"settings":{"fqdn":"a.okta.com","api_token":"s3cret"},"credentials":{"api_token":"s3cret","api_token_file":"/run/t"},"password":["s3cret"]}`,
		`{"settings":{"fqdn":"a.okta.com"},"credentials":"s3cret","of_others":[{"Api-Key":"s3cret"},7,{"deep":{"client_secret":{}}}]}`,
	} {
		v, err := ReadValue([]byte(stored))
		if err != nil {
			t.Fatal(err)
		}
		c := Candidate{Value: v.WithoutSecrets(), Before: buckets.Written{Value: []byte(stored)}}
		c.Value.Put(TokenFilePath, nil)
		if c.keepSecrets(); !c.Value.Equal(v) {
			t.Errorf("of %s became %s", stored, c.Value.Encode())
		}
	}
	c := Candidate{Value: Value{}, Before: buckets.Written{Value: []byte(`{"credentials":{"api_token":"s3cret"}}`)}}
	c.Value.Put(TokenFilePath, "/run/t")
	if c.keepSecrets(); c.Value.At(tokenPath) != nil {
		t.Errorf("a token stands beside the file that took its place: %s", c.Value.Encode())
	}
}

// A confirmation is valid for the origin that it was given for only; what can't be read
// confirms nothing.
func TestAnotherOrgIsConfirmed(t *testing.T) {
	for text, want := range map[string]bool{
		`"https://acme.okta.com"`: true, `"acme.okta.com"`: true, `"https://acme.oktapreview.com"`: false, `""`: false, `"-"`: false,
	} {
		data := `{"settings":{"fqdn":"acme.okta.com","another_org":` + text + `},"credentials":{"api_token":"00abc"}}`
		i, err := kinds.Default.Read("acme", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if q := QueryOf(i, nil); q.Another != want {
			t.Errorf("%s: confirmed %v", text, q.Another)
		}
	}
}

func TestShownState(t *testing.T) {
	for want, s := range map[pipeline.State]Summary{
		term.StateEnabled: {Enabled: true}, pipeline.StateDisabled: {}, pipeline.StateConfig: {Enabled: true, Error: "settings.limit: must be at most 999"},
	} {
		if got := s.State(); got != want {
			t.Errorf("%+v is %s, want %s", s, got, want)
		}
	}
}

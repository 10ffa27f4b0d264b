package okta

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
)

// An integration may name variables that hold a token of Okta, and no other variable of the
// service.
func TestTokenVariable(t *testing.T) {
	t.Setenv("OKTA_TOKEN_ACME", " 00abc\n")
	for name, ok := range map[string]bool{
		"OKTA_TOKEN_ACME": true, "OKTA_API_TOKEN_ACME": true, "OKTA_ACME_TOKEN": true,
		"OKTA_API_TOKEN": false, "OKTA_API_TOKEN_FILE": false, "NATS_TOKEN": false, "SIGNAL_CLIENT_NATS_PASSWORD": false,
		"OKTA_PRIVATE_KEY": false, "okta_token": false, "OKTA_TOKEN=x": false, "PATH": false,
	} {
		i, err := Kind.Read("acme", fmt.Appendf(nil, `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token_env":%q}}`, name))
		if ok != (err == nil) || ok && i.TokenEnv != name || !ok && !strings.Contains(fmt.Sprint(err), "credentials.api_token_env: is no variable that may be named") {
			t.Errorf("%s: %v", name, err)
		}
	}
	i := pipeline.Integration{Kind: Kind, TokenEnv: "OKTA_TOKEN_ACME"}
	if c, err := Kind.Credential(t.Context(), i); err != nil || c != pipeline.Credential(pipeline.NewSecret("00abc")) {
		t.Errorf("the token is another one: %v", err)
	}
	i.TokenEnv = "OKTA_TOKEN_NONE"
	if _, err := Kind.Credential(t.Context(), i); !errors.Is(err, pipeline.ErrConfig) || !strings.Contains(err.Error(), "OKTA_TOKEN_NONE is empty") {
		t.Errorf("no such variable: %v", err)
	}
}

// A sealed value that is none is not shown.
func TestWrongSealedIsNotShown(t *testing.T) {
	_, err := Kind.Read("acme", []byte(`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"sealed":"00s3cret"}}`))
	if !errors.Is(err, pipeline.ErrConfig) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

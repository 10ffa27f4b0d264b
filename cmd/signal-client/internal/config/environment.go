package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/okta"
)

// The instance in the environment becomes a value of INTEGRATIONS: one parser reads both.

// IsZero reports whether no instance is configured in the environment.
func (c Okta) IsZero() bool { return c.FQDN == "" && c.BaseURL == "" }

// Integration returns the instance in the environment, valid once Load has checked it.
func (c Okta) Integration() (pipeline.Integration, error) {
	return kinds.Default.Read(c.Name(), c.value())
}

func (c *Okta) faults() []error {
	var k problem.Checks
	if c.IsZero() { // a token's file alone is fine: the systemd unit always names one
		k.Add(!c.APIToken.IsZero() || c.ClientID != "" || c.Instance != "" || c.Filter != "", "OKTA_FQDN is not set",
			"other OKTA_ variables are set, so an instance seems to be intended", "OKTA_FQDN=acme.okta.com")
		return k.Errs
	}
	k.Add(c.isApp() && (!c.APIToken.IsZero() || c.APITokenFile != ""), "OKTA_CLIENT_ID and an API token are both set",
		"only one of them is allowed", "unset OKTA_API_TOKEN and OKTA_API_TOKEN_FILE")
	k.Add(!c.isApp() && c.APIToken.IsZero() && c.APITokenFile == "", "OKTA_API_TOKEN is not set", "Okta serves its System Log only with a token",
		"OKTA_API_TOKEN_FILE=<file>; create a token in Okta under Security > API > Tokens")
	k.Add(!c.APIToken.IsZero() && c.APITokenFile != "", "OKTA_API_TOKEN and OKTA_API_TOKEN_FILE are both set",
		"only one of them is allowed", "unset OKTA_API_TOKEN")
	if len(k.Errs) > 0 {
		return k.Errs
	}
	_, err := c.Integration()
	return problem.Complaints(err, c.setting)
}

// setting returns the variable behind a field, with its value.
func (c *Okta) setting(field string) string {
	switch field {
	case "instance":
		return "OKTA_INSTANCE=" + c.Name()
	case "settings.fqdn":
		return "OKTA_FQDN=" + term.WithoutUser(c.FQDN)
	case "settings.base_url":
		return "OKTA_BASE_URL" // without its value, which may contain user info
	case "settings.since":
		return "OKTA_SINCE=" + c.Since
	case "settings.filter":
		return "OKTA_FILTER=" + c.Filter
	case "poll_interval":
		return "OKTA_POLL_INTERVAL=" + c.PollInterval
	case "credentials.api_token":
		return "OKTA_API_TOKEN"
	case "credentials.api_token_file":
		return "OKTA_API_TOKEN_FILE=" + c.APITokenFile
	case "credentials.client_id":
		return "OKTA_CLIENT_ID=" + c.ClientID
	case "credentials.key_id":
		return "OKTA_KEY_ID=" + c.KeyID
	case "credentials.private_key_file":
		return "OKTA_PRIVATE_KEY_FILE=" + c.KeyFile
	}
	return fmt.Sprintf("OKTA_ variables (%s)", field)
}

// isApp reports whether the credential is a service app.
func (c Okta) isApp() bool { return c.ClientID != "" || c.KeyID != "" || c.KeyFile != "" }

// Name returns the instance's name: as configured, or the first label of the org's host.
func (c Okta) Name() string {
	if c.Instance != "" {
		return c.Instance
	}
	origin, err := okta.ParseOrigin(c.FQDN)
	if err != nil {
		origin, _ = okta.ParseOrigin(c.BaseURL) // reported elsewhere if invalid
	}
	_, host, _ := strings.Cut(origin, "://")
	label, _, _ := strings.Cut(host, ".")
	if _, err := netip.ParseAddrPort(host); err == nil || label == "" || strings.ContainsAny(label, "[:") {
		return "okta"
	}
	return label
}

// value returns the instance as a value of INTEGRATIONS.
func (c Okta) value() []byte {
	type object map[string]any
	settings := object{"fqdn": c.FQDN, "since": c.Since, "filter": c.Filter}
	if c.BaseURL != "" {
		settings["base_url"] = c.BaseURL
	}
	credentials := object{}
	switch {
	case c.isApp():
		credentials = object{"client_id": c.ClientID, "key_id": c.KeyID, "private_key_file": c.KeyFile}
	case c.APITokenFile != "":
		credentials["api_token_file"] = c.APITokenFile
	case !c.APIToken.IsZero():
		credentials["api_token"] = c.APIToken.Reveal()
	}
	value, err := json.Marshal(object{"poll_interval": c.PollInterval, "settings": settings, "credentials": credentials})
	if err != nil {
		panic(err) // strings always encode
	}
	return value
}

// Other processes see a service's environment instance in STATUS: the equivalent value of
// INTEGRATIONS, without a token. An entry of the same name in INTEGRATIONS wins.

// Public returns the instance as shown in STATUS.
func (c Okta) Public() json.RawMessage {
	c.APIToken = pipeline.Secret{}
	return c.value()
}

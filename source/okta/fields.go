package okta

import (
	"slices"

	"github.com/witfoo/signal-client/pipeline"
)

// fields are all fields of an integration. Parsing, the command line, the schema and the
// README follow this table; the latter two are compared with it by a test.
var fields = []pipeline.Field{
	{Path: "", Type: "object", Advice: `write an object such as {"settings": {"fqdn": "acme.okta.com"}, "credentials": {"api_token": "…"}}`},
	{Path: "integration_type", Type: "kind", Default: "okta", Advice: "write okta"},
	{Path: "settings", Type: "object", Advice: `write {"fqdn": "acme.okta.com"}`},
	{Path: "settings.fqdn", Type: "host", Advice: "write the org's host name, such as acme.okta.com",
		Settable: true, Flag: "fqdn", Desc: "the org's host name, such as acme.okta.com", Instead: "settings.base_url", Also: []string{"fqdn", "credentials.fqdn"}},
	{Path: "settings.base_url", Type: "url", Advice: "write a URL such as https://acme.okta.com",
		Settable: true, Flag: "base-url", Desc: "scheme, host and port instead of --fqdn; plain http for loopback hosts only", Instead: "settings.fqdn"},
	{Path: "name", Type: "text",
		Settable: true, Flag: "name", Desc: "display name"},
	{Path: "poll_interval", Type: "duration", Default: "5m", Advice: "write a duration such as 5m",
		Settable: true, Flag: "poll-interval", Desc: "time between polls at the head of the log; at least 1s", Instead: "poll_interval_minutes"},
	{Path: "poll_interval_minutes", Type: "number", Advice: "write minutes such as 5, or poll_interval",
		Settable: true, Instead: "poll_interval"},
	{Path: "settings.since", Type: "since", Default: "24h", Advice: "write an age such as 24h or 7d, or a time such as 2026-11-20 or 2026-11-20T08:00:00Z",
		Settable: true, Flag: "since", Desc: "where the first poll starts: an age such as 24h or 7d, or an RFC 3339 time"},
	{Path: "settings.filter", Type: "expression", Advice: "write Okta's filter expression",
		Settable: true, Flag: "filter", Desc: "filter expression of the System Log API; empty: everything"},
	{Path: "settings.limit", Type: "number", Default: 999., Advice: "write 1 to 999, or leave it out",
		Settable: true, Flag: "limit", Desc: "events per page, 1 to 999"},
	{Path: "settings.rate_share", Type: "share", Default: 0.5, Advice: "write more than 0 and at most 1, such as 0.5",
		Settable: true, Flag: "rate-share", Desc: "part of the org's rate limit that may be used, above 0, at most 1"},
	{Path: "settings.link_hosts", Type: "hosts", Advice: `write a list of host names, such as ["login.acme.com"]`,
		Settable: true, Flag: "link-host", Desc: "further host names that a next link may name, comma separated"},
	{Path: "settings.proxy", Type: "proxy", Advice: "write a URL such as http://proxy.acme.com:3128",
		Settable: true, Flag: "proxy", Desc: "proxy to this org instead of HTTPS_PROXY: http, https or socks5, with a user but no password, such as http://svc@proxy.acme.com:3128"},
	{Path: "settings.ca_file", Type: "path", Advice: "write the path of a file of certificates in PEM",
		Settable: true, Flag: "ca-file", Desc: "file of further certificate authorities to trust for this org (PEM), read by the service on the machine where it runs"},
	{Path: "settings.another_org", Type: "url"},
	{Path: "credentials", Type: "object", Advice: `write {"api_token": "…"}, {"api_token_file": "…"} or {"client_id": "…", "key_id": "…", "private_key_file": "…"}`},
	{Path: "credentials.api_token", Type: "secret", Advice: "write the org's API token, or api_token_file", Also: []string{"api_token"}},
	{Path: "credentials.api_token_next", Type: "secret", Advice: "write the API token to change to, beside api_token"},
	{Path: "credentials.api_token_file", Type: "path", Advice: "write the path of the file that holds the API token",
		Settable: true, Flag: "token-file", Desc: "file that holds the API token, read by the service on the machine where it runs", Instead: "credentials.api_token"},
	{Path: "credentials.api_token_env", Type: "variable", Advice: "write the name of a variable of the service that begins with OKTA_ and contains TOKEN, such as OKTA_TOKEN_ACME",
		Settable: true, Flag: "token-env", Desc: "environment variable of the service that holds the API token, such as OKTA_TOKEN_ACME", Instead: "credentials.api_token"},
	{Path: "credentials.client_id", Type: "text", Advice: "write the Client ID of the service app, such as 0oa1b2c3d4E5f6G7h8i9",
		Settable: true, Flag: "client-id", Desc: "Client ID of a service app (OAuth 2.0), instead of an API token"},
	{Path: "credentials.key_id", Type: "text", Advice: "write the key's id (kid) as the service app shows it",
		Settable: true, Flag: "key-id", Desc: "id (kid) of the service app's key"},
	{Path: "credentials.private_key_file", Type: "path", Advice: "write the path of the file that holds the service app's private key",
		Settable: true, Flag: "private-key-file", Desc: "file that holds the service app's private key (PEM or JWK), read by the service on the machine where it runs", Instead: "credentials.private_key"},
	{Path: "credentials.private_key", Type: "secret", Advice: "write the private key of the service app (PEM or JWK), or private_key_file"},
	{Path: "credentials.proxy_password", Type: "secret", Advice: "write the password of the user in settings.proxy"},
	{Path: "credentials.sealed", Type: "secret", Advice: "set the credential again; signal-client seals it"},
	{Path: "enabled", Type: "truth", Default: true, Advice: "write true or false",
		Settable: true},
}

// fieldAt returns the field at a path; the zero Field: none.
func fieldAt(path string) pipeline.Field {
	if n := slices.IndexFunc(fields, func(f pipeline.Field) bool { return f.Path == path }); n >= 0 {
		return fields[n]
	}
	return pipeline.Field{}
}

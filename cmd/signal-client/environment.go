package main

import (
	"encoding/json"
	"net"
	"net/url"
	"strings"
	"time"
)

// The instance that the environment configures takes the same way as those in
// INTEGRATIONS: as a value of that bucket, read and checked by the same reader.

// Name is the instance's: as configured, or the first label of the org's host.
func (c oktaConfig) Name() string {
	if c.Instance != "" {
		return c.Instance
	}
	host := c.FQDN
	if u, err := url.Parse(c.BaseURL); err == nil && c.BaseURL != "" {
		host = u.Hostname()
	}
	label, _, _ := strings.Cut(strings.ToLower(host), ".")
	if net.ParseIP(host) != nil || !slug.MatchString(label) {
		return "okta"
	}
	return label
}

// Value is the instance as INTEGRATIONS would hold it, the token included.
func (c oktaConfig) Value() []byte {
	credentials := map[string]string{}
	if c.APITokenFile != "" {
		credentials["api_token_file"] = c.APITokenFile
	} else {
		credentials["api_token"] = c.APIToken.Reveal()
	}
	settings := map[string]any{"since": c.Since.String(), "filter": c.Filter}
	if c.BaseURL != "" {
		settings["base_url"] = c.BaseURL
	} else {
		settings["fqdn"] = c.FQDN
	}
	value, err := json.Marshal(map[string]any{
		"enabled":          true,
		"integration_type": "okta",
		"poll_interval":    c.PollInterval.String(),
		"settings":         settings,
		"credentials":      credentials,
	})
	if err != nil {
		panic(err) // strings and maps of them always encode
	}
	return value
}

// variableOf is the variable behind a field of Value, for messages; the field
// itself when there is none.
func variableOf(field string) string {
	switch field {
	case "settings.fqdn":
		return "OKTA_FQDN"
	case "settings.base_url":
		return "OKTA_BASE_URL"
	case "settings.since":
		return "OKTA_SINCE"
	case "settings.filter":
		return "OKTA_FILTER"
	case "poll_interval":
		return "OKTA_POLL_INTERVAL"
	case "credentials.api_token":
		return "OKTA_API_TOKEN"
	case "credentials.api_token_file":
		return "OKTA_API_TOKEN_FILE"
	}
	return field
}

// String is the age or the moment, as INTEGRATIONS takes it.
func (s since) String() string {
	if !s.Moment.IsZero() {
		return s.Moment.UTC().Format(time.RFC3339Nano)
	}
	return s.Age.String()
}

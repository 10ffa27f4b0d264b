package config

import (
	"slices"
	"strings"
	"testing"
)

// A variable that is set and does nothing is reported, with the one that may be meant.
func TestUnusedSettings(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string // the settings, and what is tried for the first
		try  string
	}{
		{nil, "", ""},
		{map[string]string{"OKTA_API_TOKEN_FILE": "/t", "OKTA_POLL_INTERVAL": "5m"}, "OKTA_API_TOKEN_FILE OKTA_POLL_INTERVAL", "OKTA_FQDN="},
		{map[string]string{"OKTA_FQDN": "acme.okta.com", "OKTA_API_TOKEN": "t", "OKTA_POLL_INTERVAL": "1m"}, "", ""},
		{map[string]string{"OKTA_FQDN": "acme.okta.com", "OKTA_API_TOKEN": "t", "OKTA_INTERVAL": "1m"}, "OKTA_INTERVAL", "OKTA_POLL_INTERVAL, if"},
		{map[string]string{"SIGNAL_CLIENT_STREAM_MAXAGE": "90d"}, "SIGNAL_CLIENT_STREAM_MAXAGE", "SIGNAL_CLIENT_STREAM_MAX_AGE, if"},
		{map[string]string{"SIGNAL_CLIENT_XYZZY_PLUGH_PLOVER": "1", "OKTA_TOKEN": ""}, "SIGNAL_CLIENT_XYZZY_PLUGH_PLOVER", "remove it"},
		{map[string]string{"SIGNAL_CLIENT_HTTP_PORT": "8000"}, "SIGNAL_CLIENT_HTTP_PORT", "SIGNAL_CLIENT_HTTP_ADDR, if"},
		{map[string]string{ // a service of that name in Kubernetes
			"SIGNAL_CLIENT_SERVICE_HOST": "10.0.0.1", "SIGNAL_CLIENT_SERVICE_PORT": "8000", "SIGNAL_CLIENT_SERVICE_PORT_HTTP": "8000",
			"SIGNAL_CLIENT_PORT": "tcp://10.0.0.1:8000", "SIGNAL_CLIENT_PORT_8000_TCP": "tcp://10.0.0.1:8000", "SIGNAL_CLIENT_PORT_8000_TCP_PROTO": "tcp",
			"SIGNAL_CLIENT_METRICS_PORT_8000_TCP_ADDR": "10.0.0.1",
		}, "", ""},
		{map[string]string{"NATS_URL": "nats://h", "SIGNAL_CLIENT_NATS_LISTEN": "127.0.0.1:4223", "SIGNAL_CLIENT_DATA_DIR": "/data"}, "SIGNAL_CLIENT_NATS_LISTEN", "remove it"},
		{map[string]string{"NATS_URL": "nats://h", "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE": "unused_test.go", "SIGNAL_CLIENT_CONSOLE_URL": "https://h"}, "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE", "SIGNAL_CLIENT_CONSOLE=on"},
		{map[string]string{"SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE": "unused_test.go"}, "", ""},
		{map[string]string{"NATS_URL": "nats://h", "NATS_USER": "u", "NATS_PASSWORD": "p", "NATS_CREDS": "unused_test.go"}, "NATS_CREDS", "unset one"},
	} {
		t.Run(c.want, func(t *testing.T) {
			found, err := read(t, c.env)
			if err != nil {
				t.Fatal(err)
			}
			var settings []string
			for _, u := range found.UnusedSettings(nil) {
				settings = append(settings, u.Setting)
				if !strings.HasPrefix(u.Try, c.try) {
					t.Errorf("%s: try %q, want %q", u.Setting, u.Try, c.try)
				}
			}
			slices.Sort(settings)
			if got := strings.Join(settings, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Every duration may be written with days.
func TestDurationsOfDays(t *testing.T) {
	c, err := read(t, map[string]string{"SIGNAL_CLIENT_STREAM_MAX_AGE": "100d", "OKTA_FQDN": "acme.okta.com", "OKTA_API_TOKEN": "t", "OKTA_SINCE": "2026-11-20", "OKTA_POLL_INTERVAL": "1d"}, "--silent-after", "2d12h")
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.Okta.Integration()
	if err != nil || c.Stream.MaxAge.String() != "2400h" || c.Process.SilentAfter.String() != "60h" || i.PollInterval.Hours() != 24 || i.Since.Moment.Day() != 20 {
		t.Errorf("%v, %v, %+v, %v", c.Stream.MaxAge, c.Process.SilentAfter, i, err)
	}
}

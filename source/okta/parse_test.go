package okta

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
)

func parse(t *testing.T, data string) pipeline.Integration {
	t.Helper()
	i, err := ParseIntegration("acme", []byte(data))
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return i
}

func TestParseIntegrationFillsInTheDefaults(t *testing.T) {
	got := parse(t, `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"00abc"}}`)
	want := pipeline.Integration{
		Instance: "acme", Enabled: true, Origin: "https://acme.okta.com", Source: "https://acme.okta.com", PollInterval: 5 * time.Minute,
		Since: pipeline.Since{Age: 24 * time.Hour}, Limit: 999, RateShare: 0.5, Token: pipeline.NewSecret("00abc"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseIntegrationTakesEverything(t *testing.T) {
	got := parse(t, `{"enabled":true,"integration_type":"okta","name":"Okta Production Org","poll_interval":"30s","poll_interval_minutes":"no number",
		"settings":{"fqdn":"ignored.okta.com","base_url":"http://127.0.0.1:8080/","since":"2026-11-01T00:00:00+01:00","filter":"eventType eq \"x\"",
		"limit":100,"rate_share":0.25,"link_hosts":["https://Login.Acme.com/"],"colour":"blue"},
		"credentials":{"api_token_file":"/run/secrets/acme"},"owner":{"team":7}}`)
	want := pipeline.Integration{
		Instance: "acme", Name: "Okta Production Org", Enabled: true, Origin: "http://127.0.0.1:8080", Source: "https://ignored.okta.com", PollInterval: 30 * time.Second,
		Since: pipeline.Since{Moment: time.Date(2026, 10, 31, 23, 0, 0, 0, time.UTC)}, Filter: `eventType eq "x"`, Limit: 100, RateShare: 0.25,
		LinkHosts: []string{"login.acme.com"}, TokenFile: "/run/secrets/acme",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseIntegrationIsLenientWhereThereIsNoDoubt(t *testing.T) {
	plain := parse(t, `{"enabled":true,"settings":{"fqdn":"acme.okta.com","limit":500,"rate_share":0.5},"credentials":{"api_token":"00abc"},"poll_interval_minutes":2}`)
	for _, data := range []string{
		`{"enabled":"True","settings":{"fqdn":"http://Acme.okta.com/x","limit":"500","rate_share":"0.5"},"credentials":{"api_token":" 00abc\n"},"poll_interval_minutes":"2"}`,
		`{"enabled":null,"integration_type":"Okta","name":null,"poll_interval":"2m","poll_interval_minutes":9,
			"settings":{"fqdn":"acme.okta.com:443","base_url":null,"since":null,"filter":null,"limit":500.0,"rate_share":null,"link_hosts":null},
			"credentials":{"api_token":"00abc","api_token_file":""}}`,
		"\ufeff" + `{"poll_interval":"","poll_interval_minutes":2.0,"settings":{"base_url":"acme.okta.com","since":"1d","limit":500},"credentials":{"api_token":"00abc"}}`,
	} {
		if got := parse(t, data); !reflect.DeepEqual(got, plain) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", data, got, plain)
		}
	}
}

func TestADisabledIntegrationNeedsNoCredential(t *testing.T) {
	if i := parse(t, `{"enabled":false,"settings":{"fqdn":"acme.okta.com"}}`); i.Enabled {
		t.Error("it is enabled")
	}
}

func TestParseIntegrationNamesEachWrongField(t *testing.T) {
	const ok = `"credentials":{"api_token":"00abc"}`
	settings := func(s string) string { return `{"settings":{"fqdn":"acme.okta.com",` + s + `},` + ok + `}` }
	for _, tc := range []struct {
		data string
		want []string // each begins a complaint
	}{
		{settings(`"limit":1000`), []string{"settings.limit: must be at most 999, got 1000 (write 1 to 999, or leave it out)"}},
		{settings(`"limit":"many"`), []string{"settings.limit: must be a whole number, got a string"}},
		{settings(`"rate_share":0`), []string{"settings.rate_share: must be above 0, got 0"}},
		{settings(`"rate_share":"NaN"`), []string{"settings.rate_share: must be a number, got a string"}},
		{settings(`"since":"yesterday"`), []string{`settings.since: is neither a duration nor a time: "yesterday" (write an age such as 24h`}},
		{settings(`"since":"-1h"`), []string{"settings.since: must not be negative"}},
		{settings(`"link_hosts":"a.com"`), []string{`settings.link_hosts: must be a list, got a string (write a list of host names`}},
		{settings(`"link_hosts":["a.com","b c"]`), []string{"settings.link_hosts[1]: is not a host name"}},
		{settings(`"proxy":"http://svc:s3cret@proxy:3128"`), []string{"settings.proxy: holds a password (write it as credentials.proxy_password"}},
		{settings(`"proxy":"ftp://proxy"`), []string{"settings.proxy: has the scheme"}},
		{settings(`"base_url":"http://127.0.0.1:1","proxy":"proxy:3128"`), []string{"settings.proxy: is not for plain http"}},
		{`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"a","proxy_password":"b"}}`, []string{"credentials.proxy_password: is of no use without settings.proxy"}},
		{`{"settings":{"fqdn":"acme.okta.com","proxy":"proxy:1"},"credentials":{"api_token":"a","proxy_password":"b"}}`, []string{"settings.proxy: names no user"}},
		{`{"settings":{"fqdn":"acme.okta.com","proxy":"svc@proxy:1"},"credentials":{"proxy_password":"b"}}`, []string{"credentials.api_token: is missing"}},
		{settings(`"base_url":"http://acme.okta.com"`), []string{"settings.base_url: is plain http"}},
		{`{"settings":{"fqdn":"acme-admin.okta.com"},` + ok + `}`, []string{"settings.fqdn: is the Admin Console, acme-admin.okta.com, which serves no API (write acme.okta.com)"}},
		{`{"settings":{"fqdn":"acme"},` + ok + `}`, []string{"settings.fqdn: is no full host name (write acme.okta.com"}},
		{`{"settings":{"fqdn":"acme.okta.com:8443"},` + ok + `}`, []string{"settings.fqdn: has a port (write the URL as settings.base_url instead)"}},
		{`{"settings":{},` + ok + `}`, []string{"settings.fqdn: is missing (write the org's host name"}},
		{`{` + ok + `}`, []string{`settings: is missing (write {"fqdn": "acme.okta.com"})`}},
		{`{"poll_interval":"5",` + settings(`"x":1`)[1:], []string{`poll_interval: is no duration: "5" (write a duration such as 5m)`}},
		{`{"poll_interval":300,` + settings(`"x":1`)[1:], []string{"poll_interval: must be a string, got a number (write a duration such as 5m)"}},
		{`{"poll_interval":"0.5s",` + settings(`"x":1`)[1:], []string{"poll_interval: must be 1 second to 90 days"}},
		{`{"poll_interval_minutes":0.01,` + settings(`"x":1`)[1:], []string{"poll_interval_minutes: must be 1 second to 90 days"}},
		{`{"poll_interval_minutes":-5,` + settings(`"x":1`)[1:], []string{"poll_interval_minutes: must be above 0, got -5"}},
		{`{"poll_interval_minutes":1e300,` + settings(`"x":1`)[1:], []string{"poll_interval_minutes: must be 1 second to 90 days"}},
		{`{"enabled":"perhaps",` + settings(`"x":1`)[1:], []string{"enabled: must be true or false, got a string"}},
		{`{"integration_type":"duo",` + settings(`"x":1`)[1:], []string{`integration_type: must be "okta", got "duo" (write okta)`}},
		{`{"settings":{"fqdn":"acme.okta.com"}}`, []string{"credentials.api_token: is missing (write the org's API token, or api_token_file)"}},
		{`{"settings":{"fqdn":"acme.okta.com"},"credentials":"x"}`, []string{"credentials: must be an object (write "}},
		{`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"a","api_token_file":"b"}}`, []string{"credentials: holds more than one"}},
		{`{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"SSWS 00abc"}}`, []string{"credentials.api_token: begins with SSWS"}},
		{`{"enabled":"x","poll_interval":"soon","settings":{"fqdn":"a b","limit":0},"credentials":{"api_token":7}}`,
			[]string{"credentials.api_token: must be a string", "enabled: must be", "poll_interval: is no", "settings.fqdn: is not", "settings.limit: must be"}},
		{`not json`, []string{"the value is not valid JSON at byte"}},
		{`null`, []string{"the value must be an object, got null"}},
		{``, []string{"the value is not valid JSON"}},
	} {
		i, err := ParseIntegration("acme", []byte(tc.data))
		wrong, ok := errors.AsType[*pipeline.ConfigError](err)
		if !ok || !errors.Is(err, pipeline.ErrConfig) {
			t.Errorf("%s: %v is no *ConfigError", tc.data, err)
			continue
		}
		if !reflect.DeepEqual(i, pipeline.Integration{Instance: "acme"}) {
			t.Errorf("%s: an integration came with the error: %+v", tc.data, i)
		}
		if len(wrong.Complaints) != len(tc.want) {
			t.Errorf("%s: %d complaints, want %d: %v", tc.data, len(wrong.Complaints), len(tc.want), err)
			continue
		}
		for n, c := range wrong.Complaints {
			if !strings.HasPrefix(c.String(), tc.want[n]) || strings.Contains(c.String(), "\n") {
				t.Errorf("%s:\n got %s\nwant %s", tc.data, c, tc.want[n])
			}
		}
	}
}

func TestAnInstanceIsASlug(t *testing.T) {
	const data = `{"settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"x"}}`
	for instance, fits := range map[string]bool{
		"a": true, "acme-2": true, "0": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "Acme": false, "a.b": false, "a*": false, "a>": false, "a b": false, strings.Repeat("a", 64): false,
	} {
		if _, err := ParseIntegration(instance, []byte(data)); (err == nil) != fits {
			t.Errorf("instance %q: %v, want it to fit: %v", instance, err, fits)
		}
	}
}

func TestSecretReadsTheTokenFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	i := pipeline.Integration{TokenFile: write("token", " 00abc\r\n")}
	if s, err := Token(t.Context(), i); err != nil || s.Reveal() != "00abc" {
		t.Errorf("Secret = %q, %v", s.Reveal(), err)
	}
	if s, err := Token(t.Context(), pipeline.Integration{Token: pipeline.NewSecret("00def")}); err != nil || s.Reveal() != "00def" {
		t.Errorf("Secret without a file = %q, %v", s.Reveal(), err)
	}
	if s, err := Token(t.Context(), pipeline.Integration{TokenFile: write("marked", "\ufeff00abc\n")}); err != nil || s.Reveal() != "00abc" {
		t.Errorf("Secret after a byte order mark = %q, %v", s.Reveal(), err)
	}
	for data, want := range map[string]string{"SSWS 00abc": "begins with SSWS", "\xff\xfe0\x000\x00a\x00": "UTF-16"} {
		_, err := Token(t.Context(), pipeline.Integration{TokenFile: write("odd", data)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", data, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "absent"), write("empty", " \n"), write("two", "00abc 00def"), dir} {
		_, err := Token(t.Context(), pipeline.Integration{TokenFile: path})
		if !errors.Is(err, pipeline.ErrConfig) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "00abc") {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := Token(t.Context(), pipeline.Integration{TokenFile: filepath.Join(dir, "absent")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v does not match os.ErrNotExist", err)
	}
}

// FuzzParseIntegration: whatever the value, there is no panic, an error shows no
// token, and what is accepted is within its bounds.
func FuzzParseIntegration(f *testing.F) {
	const token = "00SecretTokenOfTheOrg"
	for _, seed := range []string{
		`{"settings":{"fqdn":"acme.okta.com"}}`,
		`{"enabled":"true","poll_interval":"1d","settings":{"base_url":"http://[::1]:1","since":"2026-01-01T00:00:00Z","limit":"9","link_hosts":["a"]}}`,
		`{"credentials":[1e999],"settings":{"limit":1e308}}`, `[]`, `{"settings":{"rate_share":1e-300}}`,
	} {
		f.Add(seed, token)
		f.Add(seed, token+"\x00")
	}
	f.Fuzz(func(t *testing.T, data, credential string) {
		var v map[string]any
		if json.Unmarshal([]byte(data), &v) == nil && v != nil {
			v["credentials"] = map[string]any{"api_token": token + credential, "other": credential + token}
			b, err := json.Marshal(v)
			if err != nil {
				return
			}
			data = string(b)
		}
		i, err := ParseIntegration("acme", []byte(data))
		if err != nil {
			if !errors.Is(err, pipeline.ErrConfig) || strings.Contains(err.Error(), token) {
				t.Errorf("%s: %v", data, err)
			}
			return
		}
		bounded := i.PollInterval >= time.Second && i.Limit >= 1 && i.Limit <= 999 && i.RateShare > 0 && i.RateShare <= 1 && i.Since.Age >= 0
		if origin, err := ParseOrigin(i.Origin); err != nil || origin != i.Origin || !bounded {
			t.Errorf("%s gave %+v (origin: %v)", data, i, err)
		}
	})
}

func TestSinceAt(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		since pipeline.Since
		want  time.Time
	}{
		{pipeline.Since{Age: time.Hour}, now.Add(-time.Hour)},
		{pipeline.Since{Moment: now.Add(-2 * time.Hour)}, now.Add(-2 * time.Hour)},
		{pipeline.Since{Moment: now.AddDate(1, 0, 0)}, now},
		{pipeline.Since{Age: 200 * 24 * time.Hour}, now.Add(-Retention + time.Minute)},
	} {
		if got := c.since.At(now, Kind); !got.Equal(c.want) {
			t.Errorf("%+v is %s, want %s", c.since, got, c.want)
		}
	}
}

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
)

// read loads the whole configuration as run does.
func read(t *testing.T, env map[string]string, args ...string) (Config, error) {
	t.Helper()
	for _, s := range new(Config).Sections() {
		for v := range Variables(s) {
			unset(t, v.Name)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	var c Config
	cmd := &cobra.Command{Use: "run", SilenceErrors: true, SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		var err error
		c, err = LoadConfig(cmd)
		return err
	}}
	AddFlags(cmd, new(Config).Sections()...)
	cmd.SetArgs(args)
	cmd.SetOut(io.Discard)
	return c, cmd.Execute()
}

// unset takes a variable away for the time of the test.
func unset(t *testing.T, name string) {
	t.Setenv(name, "") // restores it afterwards
	os.Unsetenv(name)
}

func TestConfigDefaults(t *testing.T) {
	c, err := read(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.NATS.Embedded() || !c.Okta.IsZero() {
		t.Errorf("embedded %v, okta %+v; want an embedded server and no instance", c.NATS.Embedded(), c.Okta)
	}
	for name, pair := range map[string][2]any{
		"listen":      {c.Server.Listen, "127.0.0.1:4222"},
		"sync":        {c.Server.Sync, syncEvery(0)},
		"data dir":    {c.Server.DataDir, "data"},
		"replicas":    {c.Stream.Replicas, 1},
		"max bytes":   {c.Stream.MaxBytes, byteSize(0)},
		"max age":     {c.Stream.MaxAge, Duration(90 * 24 * time.Hour)},
		"http":        {c.Process.HTTPAddr, "127.0.0.1:8000"},
		"session ttl": {c.Process.SessionTTL, Duration(10 * time.Second)},
		"timeout":     {c.Process.RequestTimeout, Duration(time.Minute)},
		"in flight":   {c.Process.MaxInFlight, 256},
		"page memory": {c.Process.PageMemory, byteSize(256 << 20)},
		"interval":    {c.Okta.PollInterval, "5m"},
		"since":       {c.Okta.Since, "24h"},
		"format":      {c.Log.Format, logConsole},
		"level":       {c.Log.Level.Level(), slog.LevelInfo},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestFlagsOverrideVariables(t *testing.T) {
	c, err := read(t, map[string]string{
		"SIGNAL_CLIENT_HTTP_ADDR":        "127.0.0.1:1",
		"SIGNAL_CLIENT_DATA_DIR":         "from-variable",
		"SIGNAL_CLIENT_STREAM_MAX_BYTES": "1.5GiB",
		"SIGNAL_CLIENT_SESSION_TTL":      "", // counts as unset
	}, "--http-addr", "127.0.0.1:2", "--session-ttl", "4s", "--log-level", "warning", "--nats-sync=2m")
	if err != nil {
		t.Fatal(err)
	}
	if c.Process.HTTPAddr != "127.0.0.1:2" || c.Server.DataDir != "from-variable" || c.Process.SessionTTL != Duration(4*time.Second) {
		t.Errorf("got %+v %+v", c.Process, c.Server)
	}
	if c.Stream.MaxBytes != 3<<29 || c.Log.Level.Level() != slog.LevelWarn || c.Server.Sync != syncEvery(2*time.Minute) {
		t.Errorf("got %+v %+v %+v", c.Stream, c.Log, c.Server)
	}
}

// Every message about a wrong value names the variable and says what to do.
func TestConfigFaults(t *testing.T) {
	type env = map[string]string
	okta := func(name, value string) env {
		e := env{"OKTA_FQDN": "acme.okta.com", "OKTA_API_TOKEN": "s3cret"}
		e[name] = value
		return e
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	private, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	seed := string(private)
	for _, c := range []struct {
		env  env
		name string
	}{
		{env{"SIGNAL_CLIENT_SESSION_TTL": "soon"}, "SIGNAL_CLIENT_SESSION_TTL"},
		{env{"SIGNAL_CLIENT_SESSION_TTL": "1s"}, "SIGNAL_CLIENT_SESSION_TTL"},
		{env{"SIGNAL_CLIENT_SESSION_TTL": "2500ms"}, "SIGNAL_CLIENT_SESSION_TTL"},
		{env{"SIGNAL_CLIENT_MAX_IN_FLIGHT": "0"}, "SIGNAL_CLIENT_MAX_IN_FLIGHT"},
		{env{"SIGNAL_CLIENT_PAGE_MEMORY": "127MiB"}, "SIGNAL_CLIENT_PAGE_MEMORY"},
		{env{"SIGNAL_CLIENT_NATS_SYNC": "sometimes"}, "SIGNAL_CLIENT_NATS_SYNC"},
		{env{"SIGNAL_CLIENT_NATS_SYNC": "-1s"}, "SIGNAL_CLIENT_NATS_SYNC"},
		{env{"SIGNAL_CLIENT_NATS_REPLICAS": "three"}, "SIGNAL_CLIENT_NATS_REPLICAS"},
		{env{"SIGNAL_CLIENT_NATS_REPLICAS": "0"}, "SIGNAL_CLIENT_NATS_REPLICAS"},
		{env{"SIGNAL_CLIENT_NATS_REPLICAS": "3"}, "SIGNAL_CLIENT_NATS_REPLICAS"}, // of an embedded server
		{env{"SIGNAL_CLIENT_NATS_LISTEN": "4222"}, "SIGNAL_CLIENT_NATS_LISTEN"},
		{env{"SIGNAL_CLIENT_NATS_LISTEN": "0.0.0.0:4222"}, "SIGNAL_CLIENT_NATS_LISTEN"},
		{env{"SIGNAL_CLIENT_NATS_LISTEN": ":4222"}, "SIGNAL_CLIENT_NATS_LISTEN"},
		{env{"SIGNAL_CLIENT_NATS_USER": "stage"}, "SIGNAL_CLIENT_NATS_PASSWORD"},
		{env{"SIGNAL_CLIENT_NATS_PASSWORD": "s3cret"}, "SIGNAL_CLIENT_NATS_USER"},
		{env{"SIGNAL_CLIENT_STREAM_MAX_BYTES": "lots"}, "SIGNAL_CLIENT_STREAM_MAX_BYTES"},
		{env{"SIGNAL_CLIENT_STREAM_MAX_BYTES": "-1"}, "SIGNAL_CLIENT_STREAM_MAX_BYTES"},
		{env{"SIGNAL_CLIENT_STREAM_MAX_BYTES": "9EiB"}, "SIGNAL_CLIENT_STREAM_MAX_BYTES"},
		{env{"SIGNAL_CLIENT_STREAM_MAX_AGE": "1m"}, "SIGNAL_CLIENT_STREAM_MAX_AGE"},
		{env{"SIGNAL_CLIENT_HTTP_ADDR": "localhost"}, "SIGNAL_CLIENT_HTTP_ADDR"},
		{env{"SIGNAL_CLIENT_HTTP_ADDR": "localhost:http:8"}, "SIGNAL_CLIENT_HTTP_ADDR"},
		{env{"SIGNAL_CLIENT_OKTA_REQUEST_TIMEOUT": "10ms"}, "SIGNAL_CLIENT_OKTA_REQUEST_TIMEOUT"},
		{env{"SIGNAL_CLIENT_LOG_FORMAT": "xml"}, "SIGNAL_CLIENT_LOG_FORMAT"},
		{env{"SIGNAL_CLIENT_LOG_LEVEL": "loud"}, "SIGNAL_CLIENT_LOG_LEVEL"},
		{env{"NATS_CREDS": "x.creds"}, "NATS_CREDS"},
		{env{"NATS_URL": "nats://h", "NATS_CREDS": "nowhere/x.creds"}, "NATS_CREDS=nowhere/x.creds"},
		{env{"NATS_URL": "nats://h", "NATS_CREDS": "-----BEGIN NATS USER JWT-----\ns3cret\n"}, "NATS_CREDS"}, // pasted in the place of a path
		{env{"NATS_URL": "nats://h", "NATS_NKEY": seed}, "NATS_NKEY"},
		{env{"NATS_URL": "nats://h", "NATS_CA": "nowhere/ca.pem"}, "NATS_CA=nowhere/ca.pem"},
		{env{"NATS_URL": "::::"}, "NATS_URL"},
		{env{"NATS_URL": "http://nats:8222"}, "NATS_URL"},
		{env{"NATS_URL": "nats://a:4222,nats://u:s3cret@b:422x"}, "NATS_URL"},
		{env{"NATS_URL": "nats://"}, "NATS_URL"},
		{env{"NATS_URL": "nats://h", "NATS_CERT": "x"}, "NATS_KEY"},
		{env{"NATS_URL": "nats://h", "NATS_KEY": "x"}, "NATS_CERT"},
		{env{"OKTA_FQDN": "acme.okta.com"}, "OKTA_API_TOKEN"},
		{env{"OKTA_API_TOKEN": "s3cret"}, "OKTA_FQDN"},
		{okta("OKTA_FQDN", "acme-admin.okta.com"), "OKTA_FQDN"},
		{okta("OKTA_FQDN", "acme"), "OKTA_FQDN"},
		{okta("OKTA_BASE_URL", "http://acme.okta.com"), "OKTA_BASE_URL"},
		{okta("OKTA_BASE_URL", "https://u:s3cret@acme.okta.com"), "OKTA_BASE_URL"},
		{okta("OKTA_API_TOKEN", "SSWS s3cret"), "OKTA_API_TOKEN"},
		{okta("OKTA_INSTANCE", "Acme Prod"), "OKTA_INSTANCE"},
		{okta("OKTA_POLL_INTERVAL", "10ms"), "OKTA_POLL_INTERVAL"},
		{okta("OKTA_POLL_INTERVAL", "5"), "OKTA_POLL_INTERVAL"},
		{okta("OKTA_SINCE", "yesterday"), "OKTA_SINCE"},
		{okta("OKTA_SINCE", "-1h"), "OKTA_SINCE"},
		{okta("OKTA_API_TOKEN_FILE", "x"), "OKTA_API_TOKEN_FILE"},
		{env{"SIGNAL_CLIENT_METRICS_ADDR": "9100"}, "SIGNAL_CLIENT_METRICS_ADDR"},
		{env{"SIGNAL_CLIENT_METRICS_ADDR": "127.0.0.1:8000"}, "SIGNAL_CLIENT_METRICS_ADDR"},
		{env{"SIGNAL_CLIENT_TLS_CERT": "x"}, "SIGNAL_CLIENT_TLS_KEY"},
		{env{"SIGNAL_CLIENT_TLS_CERT": "nowhere", "SIGNAL_CLIENT_TLS_KEY": "nowhere"}, "SIGNAL_CLIENT_TLS_CERT=nowhere"},
		{env{"SIGNAL_CLIENT_CONSOLE": "maybe"}, "SIGNAL_CLIENT_CONSOLE"},
		{env{"SIGNAL_CLIENT_HTTP_ADDR": "0.0.0.0:8000"}, "SIGNAL_CLIENT_HTTP_ADDR"}, // the console would be open
		{env{"SIGNAL_CLIENT_HTTP_ADDR": ":8000"}, "SIGNAL_CLIENT_HTTP_ADDR"},
		{env{"SIGNAL_CLIENT_HTTP_ADDR": "[::]:8000", "NATS_URL": "nats://h", "SIGNAL_CLIENT_CONSOLE": "on"}, "SIGNAL_CLIENT_HTTP_ADDR"},
		{env{"SIGNAL_CLIENT_CONSOLE_URL": "console.example.com"}, "SIGNAL_CLIENT_CONSOLE_URL"},
		{env{"SIGNAL_CLIENT_CONSOLE_URL": "https://u:s3cret@console.example.com"}, "SIGNAL_CLIENT_CONSOLE_URL"},
		{env{"SIGNAL_CLIENT_CONSOLE_URL": "https://console.example.com/x"}, "SIGNAL_CLIENT_CONSOLE_URL"},
		{env{"SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE": "nowhere"}, "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE=nowhere"},
		{env{"SIGNAL_CLIENT_CONSOLE_AUTH": "none"}, "SIGNAL_CLIENT_CONSOLE_AUTH"},
		{env{"SIGNAL_CLIENT_CONSOLE_AUTH": "proxy"}, "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS"},
		{env{"SIGNAL_CLIENT_CONSOLE_AUTH": "proxy", "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS": "proxy.example.com"}, "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS"},
		{env{"SIGNAL_CLIENT_CONSOLE_AUTH": "proxy", "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS": "10.0.0.1", "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE": "config_test.go"}, "SIGNAL_CLIENT_CONSOLE_AUTH"},
		{env{"SIGNAL_CLIENT_CONSOLE_AUTH": "proxy", "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS": "10.0.0.1", "SIGNAL_CLIENT_CONSOLE_PROXY_USER_HEADER": "x-forwarded-groups"}, "SIGNAL_CLIENT_CONSOLE_PROXY_USER_HEADER"},
		{env{"SIGNAL_CLIENT_OIDC_ISSUER": "https://acme.okta.com"}, "SIGNAL_CLIENT_OIDC_CLIENT_ID"},
		{env{"SIGNAL_CLIENT_OIDC_ADMIN_GROUP": "admins"}, "SIGNAL_CLIENT_OIDC_ISSUER"},
		{env{"SIGNAL_CLIENT_OIDC_ISSUER": "http://acme.okta.com", "SIGNAL_CLIENT_OIDC_CLIENT_ID": "c"}, "SIGNAL_CLIENT_OIDC_ISSUER"},
		{env{"SIGNAL_CLIENT_OIDC_ISSUER": "https://u:s3cret@acme.okta.com", "SIGNAL_CLIENT_OIDC_CLIENT_ID": "c"}, "SIGNAL_CLIENT_OIDC_ISSUER"},
		{env{"SIGNAL_CLIENT_OIDC_ISSUER": "https://acme.okta.com", "SIGNAL_CLIENT_OIDC_CLIENT_ID": "c", "SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE": "nowhere"}, "SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE"},
	} {
		_, err := read(t, c.env)
		p, ok := errors.AsType[*problem.Error](err)
		if !ok {
			t.Errorf("%v: got %v, want a problem", c.env, err)
			continue
		}
		if !strings.Contains(p.Op, c.name) || p.Err == nil || p.Hint == "" || p.Code != problem.BadUsage {
			t.Errorf("%v: want %s named, a cause, a hint and exit code 2; got %+v", c.env, c.name, p)
		}
		if strings.Contains(p.Error()+p.Hint, "s3cret") || strings.Contains(p.Error()+p.Hint, seed) {
			t.Errorf("%v: a secret is shown: %v", c.env, p)
		}
	}
}

// All wrong values are reported at once.
func TestConfigFaultsTogether(t *testing.T) {
	_, err := read(t, map[string]string{"SIGNAL_CLIENT_LOG_LEVEL": "loud"}, "--session-ttl", "x", "--http-addr", "y")
	for _, want := range []string{"SIGNAL_CLIENT_LOG_LEVEL", "--session-ttl"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in: %v", want, err)
		}
	}
}

func TestSecretsHaveNoFlag(t *testing.T) {
	for _, s := range new(Config).Sections() {
		for v := range Variables(s) {
			secret := strings.HasSuffix(v.Name, "_TOKEN") || strings.HasSuffix(v.Name, "_PASSWORD") || v.Name == "NATS_USER" // a token, when it is alone
			if got := v.Flag() == ""; got != secret {
				t.Errorf("%s: secret %v, without a flag %v", v.Name, secret, got)
			}
		}
	}
}

// The instance from the environment is parsed like one of INTEGRATIONS.
func TestEnvironmentInstance(t *testing.T) {
	day := pipeline.Since{Age: 24 * time.Hour}
	for _, c := range []struct {
		env  map[string]string
		want pipeline.Integration
	}{
		{map[string]string{"OKTA_FQDN": "https://Acme.okta.com/", "OKTA_API_TOKEN": "t", "OKTA_SINCE": "7d"},
			pipeline.Integration{Kind: kinds.Default, Instance: "acme", Origin: "https://acme.okta.com", Source: "https://acme.okta.com", PollInterval: 5 * time.Minute, Since: pipeline.Since{Age: 7 * 24 * time.Hour}, Token: pipeline.NewSecret("t")}},
		{map[string]string{"OKTA_BASE_URL": "http://127.0.0.1:8080", "OKTA_API_TOKEN_FILE": "f", "OKTA_POLL_INTERVAL": "1s"},
			pipeline.Integration{Kind: kinds.Default, Instance: "okta", Origin: "http://127.0.0.1:8080", Source: "http://127.0.0.1:8080", PollInterval: time.Second, Since: day, TokenFile: "f"}},
		{map[string]string{"OKTA_BASE_URL": "http://localhost:8080", "OKTA_API_TOKEN": "t"},
			pipeline.Integration{Kind: kinds.Default, Instance: "okta", Origin: "http://localhost:8080", Source: "http://localhost:8080", PollInterval: 5 * time.Minute, Since: day, Token: pipeline.NewSecret("t")}},
		{map[string]string{"OKTA_FQDN": "acme.okta.com", "OKTA_BASE_URL": "http://localhost:8080", "OKTA_API_TOKEN": "t"},
			pipeline.Integration{Kind: kinds.Default, Instance: "acme", Origin: "http://localhost:8080", Source: "https://acme.okta.com", PollInterval: 5 * time.Minute, Since: day, Token: pipeline.NewSecret("t")}},
		{map[string]string{"OKTA_INSTANCE": "prod", "OKTA_FQDN": "login.acme.com", "OKTA_API_TOKEN": "t", "OKTA_FILTER": `a eq "b"`},
			pipeline.Integration{Kind: kinds.Default, Instance: "prod", Origin: "https://login.acme.com", Source: "https://login.acme.com", PollInterval: 5 * time.Minute, Since: day, Filter: `a eq "b"`, Token: pipeline.NewSecret("t")}},
	} {
		c.want.Enabled, c.want.Limit, c.want.RateShare = true, 999, 0.5
		loaded, err := read(t, c.env)
		if err != nil {
			t.Errorf("%v: %v", c.env, err)
			continue
		}
		got, err := loaded.Okta.Integration()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v:\ngot  %+v, %v\nwant %+v", c.env, got, err, c.want)
		}
	}
}

func TestLogLevelAndJSON(t *testing.T) {
	var b bytes.Buffer
	l := Log{Format: logJSON, Level: logLevel(slog.LevelWarn)}.Logger(term.Screen{Writer: &b})
	l.Info("not shown")
	l.Warn("shown", "token", pipeline.NewSecret("s3cret"))
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if got["msg"] != "shown" || got["token"] != "[redacted]" {
		t.Errorf("got %v", got)
	}
	b.Reset()
	l = Log{Level: logLevel(slog.LevelWarn)}.Logger(term.Screen{Writer: &b})
	l.Info("not shown")
	if b.Len() > 0 {
		t.Errorf("got %q", b.String())
	}
}

// The index is embedded where there is a console, unless the variable says otherwise.
func TestSearchConfiguration(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "embedded"},
		{map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, "off"},
		{map[string]string{"SIGNAL_CLIENT_CONSOLE": "off"}, "off"},
		{map[string]string{"NATS_URL": "nats://127.0.0.1:1", "SIGNAL_CLIENT_CONSOLE": "on", "SIGNAL_CLIENT_HTTP_ADDR": "127.0.0.1:1"}, "embedded"},
		{map[string]string{"SIGNAL_CLIENT_SEARCH": "off"}, "off"},
		{map[string]string{"SIGNAL_CLIENT_SEARCH": "http://127.0.0.1:9428/"}, "http://127.0.0.1:9428"},
	} {
		got, err := read(t, c.env)
		if err != nil {
			t.Errorf("%v: %v", c.env, err)
			continue
		}
		if index, err := got.Index(nil); err != nil || index.Mode != c.want || index.Memory != 256<<20 || index.Retention != 90*24*time.Hour {
			t.Errorf("%v: %+v, %v; want %s", c.env, index, err, c.want)
		}
	}
	for _, env := range []map[string]string{
		{"SIGNAL_CLIENT_SEARCH": "perhaps"},
		{"SIGNAL_CLIENT_SEARCH": "http://user:secret@127.0.0.1:9428"},
		{"SIGNAL_CLIENT_SEARCH": "http://127.0.0.1:9428", "SIGNAL_CLIENT_SEARCH_PASSWORD_FILE": "/nowhere"},
		{"SIGNAL_CLIENT_SEARCH_USER": "somebody"},
		{"SIGNAL_CLIENT_SEARCH_MEMORY": "1MiB"},
		{"SIGNAL_CLIENT_SEARCH_RETENTION": "1h"},
	} {
		if _, err := read(t, env); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", env, err)
		}
	}
}

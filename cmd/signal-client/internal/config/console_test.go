package config

import (
	"fmt"
	"testing"
)

// The console is served to others only where they are asked who they are.
func TestConsoleAddress(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"loopback":       {"SIGNAL_CLIENT_HTTP_ADDR": "localhost:8000"},
		"no console":     {"SIGNAL_CLIENT_HTTP_ADDR": "0.0.0.0:8000", "SIGNAL_CLIENT_CONSOLE": "off"},
		"another server": {"SIGNAL_CLIENT_HTTP_ADDR": "0.0.0.0:8000", "NATS_URL": "nats://h"},
		"passwords":      {"SIGNAL_CLIENT_HTTP_ADDR": "0.0.0.0:8000", "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE": "console_test.go"},
		"oidc":           {"SIGNAL_CLIENT_HTTP_ADDR": ":8000", "SIGNAL_CLIENT_OIDC_ISSUER": "https://acme.okta.com", "SIGNAL_CLIENT_OIDC_CLIENT_ID": "c"},
		"proxy":          {"SIGNAL_CLIENT_HTTP_ADDR": "[::]:8000", "SIGNAL_CLIENT_CONSOLE_AUTH": "proxy", "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS": "10.0.0.1"},
	} {
		if _, err := read(t, env); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	c, err := read(t, map[string]string{}, "--console-proxy-addrs", "10.0.0.5, 10.1.2.3/16,2001:db8::/32,::ffff:192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Console.ProxyAddrs); got != "[10.0.0.5/32 10.1.0.0/16 2001:db8::/32 192.0.2.1/32]" {
		t.Errorf("got %s", got)
	}
}

func TestOwnURL(t *testing.T) {
	for want, p := range map[string]Process{
		"http://127.0.0.1:8000":  {HTTPAddr: "0.0.0.0:8000"},
		"https://127.0.0.1:8000": {HTTPAddr: ":8000", TLSCert: "x"},
		"http://127.0.0.1:9100":  {HTTPAddr: ":8000", TLSCert: "x", MetricsAddr: "0.0.0.0:9100"},
	} {
		if got := p.OwnURL(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

package config

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source"
	"github.com/witfoo/signal-client/source/page"
)

func (c *NATS) faults() []error {
	var k problem.Checks
	switch err := jets.CheckServers(c.URL); {
	case errors.Is(err, jets.ErrUserInfo):
		k.Add(true, "NATS_URL", err.Error(), "NATS_USER and NATS_PASSWORD, which take any character; or "+percentEncode+"; in a list, each server needs its scheme and its user")
	case err != nil:
		k.Add(true, strings.TrimSuffix("NATS_URL: "+jets.Hosts(c.URL), ": "), err.Error(), "NATS_URL=nats://<host>:4222; several with commas between; the schemes are nats, tls, ws and wss")
	}
	k.Add(c.Cert != "" && c.Key == "", "NATS_CERT is set, NATS_KEY is not",
		"a client certificate needs its key", "NATS_KEY=<file>")
	k.Add(c.Key != "" && c.Cert == "", "NATS_KEY is set, NATS_CERT is not",
		"a client key needs its certificate", "NATS_CERT=<file>")
	k.Add(!c.Password.IsZero() && c.User.IsZero(), "NATS_PASSWORD is set, NATS_USER is not",
		"a password needs a user", "NATS_USER=<user>; for a token alone use NATS_TOKEN")
	k.Add(strings.ContainsAny(c.Domain, ".*> \t\r\n"), "NATS_JS_DOMAIN="+c.Domain,
		"a JetStream domain has no dots, spaces and wildcards", "NATS_JS_DOMAIN=<domain, as in the server's jetstream { domain: … }>")
	if given := c.connecting(); c.Embedded() && len(given) > 0 {
		k.Add(true, strings.Join(given, ", ")+" without NATS_URL",
			"without NATS_URL or NATS_CONTEXT the embedded server is used, to which they don't apply",
			"NATS_URL=nats://<host>:4222, or unset the others; for the embedded server use SIGNAL_CLIENT_NATS_USER and SIGNAL_CLIENT_NATS_PASSWORD")
	}
	for _, f := range []struct{ name, path string }{{"NATS_CREDS", c.Creds}, {"NATS_NKEY", c.NKey}, {"NATS_CA", c.CA}, {"NATS_CERT", c.Cert}, {"NATS_KEY", c.Key}} {
		if f.name == "NATS_CREDS" && strings.ContainsAny(f.path, "~$") {
			continue // nats.go expands it
		}
		if f.path == "" {
			continue
		}
		if _, err := pipeline.ReadFile(context.Background(), f.path, 1<<20); err != nil {
			k.Add(true, pathSetting(f.name, f.path), "it can't be read: "+cmp.Or(errors.Unwrap(err), err).Error(), f.name+"=<a file that this user can read>")
		}
	}
	return k.Errs
}

// pathSetting returns a setting that should be a path, without its value if that is a
// credential pasted in the place of one.
func pathSetting(name, path string) string {
	if _, err := nkeys.FromSeed([]byte(strings.TrimSpace(path))); err == nil || strings.Contains(path, "-----BEGIN") {
		return name
	}
	return name + "=" + path
}

// connecting lists the set variables about connecting, except those that name servers.
func (c *NATS) connecting() []string {
	var given []string
	for v := range Variables(c) {
		if v.Name != "NATS_URL" && v.Name != "NATS_CONTEXT" && !v.field.IsZero() {
			given = append(given, v.Name)
		}
	}
	return given
}

func (c *Server) faults() []error {
	var k problem.Checks
	host, err := HostOf(c.Listen)
	k.Add(err != nil, "SIGNAL_CLIENT_NATS_LISTEN="+c.Listen, "it must be an address with a port", "SIGNAL_CLIENT_NATS_LISTEN=127.0.0.1:4222")
	k.Add(err == nil && !embedded.Loopback(host) && (c.User == "" || c.Password.IsZero()), "SIGNAL_CLIENT_NATS_LISTEN="+c.Listen,
		"the embedded server would be open to everyone who can reach that address",
		"set SIGNAL_CLIENT_NATS_USER and SIGNAL_CLIENT_NATS_PASSWORD, or listen on 127.0.0.1:4222")
	k.Add((c.User == "") != c.Password.IsZero() && !c.NoPassword(), "SIGNAL_CLIENT_NATS_USER and SIGNAL_CLIENT_NATS_PASSWORD",
		"one is set without the other", "set both, or neither")
	k.Add(c.DataDir == "", "SIGNAL_CLIENT_DATA_DIR is empty", "the embedded server stores its data there", "SIGNAL_CLIENT_DATA_DIR=data")
	return k.Errs
}

func (c *Stream) faults() []error {
	var k problem.Checks
	k.Add(c.Replicas < 1 || c.Replicas > 5, fmt.Sprintf("SIGNAL_CLIENT_NATS_REPLICAS=%d", c.Replicas),
		"a stream has 1 to 5 copies", "SIGNAL_CLIENT_NATS_REPLICAS=3")
	k.Add(c.MaxBytes > 0 && c.MaxBytes < jets.LeastBytes, fmt.Sprintf("SIGNAL_CLIENT_STREAM_MAX_BYTES=%d", c.MaxBytes),
		"it holds less than a few pages; use at least 64MiB, or 0 for no limit", "SIGNAL_CLIENT_STREAM_MAX_BYTES=200GiB")
	k.Add(c.MaxAge != 0 && c.MaxAge < Duration(time.Hour), fmt.Sprintf("SIGNAL_CLIENT_STREAM_MAX_AGE=%s", c.MaxAge),
		"events would be deleted before anyone reads them; use at least 1h, or 0 for no limit", "SIGNAL_CLIENT_STREAM_MAX_AGE=90d")
	return k.Errs
}

func (c *Process) faults() []error {
	var k problem.Checks
	_, err := HostOf(c.HTTPAddr)
	k.Add(err != nil, "SIGNAL_CLIENT_HTTP_ADDR="+c.HTTPAddr, "it must be an address with a port", "SIGNAL_CLIENT_HTTP_ADDR=127.0.0.1:8000")
	if c.MetricsAddr != "" {
		_, err := HostOf(c.MetricsAddr)
		k.Add(err != nil, "SIGNAL_CLIENT_METRICS_ADDR="+c.MetricsAddr, "it must be an address with a port", "SIGNAL_CLIENT_METRICS_ADDR=127.0.0.1:9100")
		k.Add(c.MetricsAddr == c.HTTPAddr, "SIGNAL_CLIENT_METRICS_ADDR="+c.MetricsAddr, "it must be another address than SIGNAL_CLIENT_HTTP_ADDR", "unset it, or SIGNAL_CLIENT_METRICS_ADDR=127.0.0.1:9100")
	}
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		k.Add(true, "SIGNAL_CLIENT_TLS_CERT and SIGNAL_CLIENT_TLS_KEY", "one is set without the other", "set both, or neither")
	case c.TLSCert != "":
		_, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		k.Add(err != nil, "SIGNAL_CLIENT_TLS_CERT="+c.TLSCert+" with SIGNAL_CLIENT_TLS_KEY="+c.TLSKey, fmt.Sprint(err), "files in PEM that this user can read, of a certificate and its own key")
	}
	k.Add(c.SessionTTL < Duration(2*time.Second) || c.SessionTTL%Duration(time.Second) != 0, fmt.Sprintf("SIGNAL_CLIENT_SESSION_TTL=%s", c.SessionTTL),
		"NATS counts the TTL of a key in whole seconds, and three renewals must fit: at least 2s", "SIGNAL_CLIENT_SESSION_TTL=10s")
	k.Add(c.RequestTimeout < Duration(time.Second), fmt.Sprintf("SIGNAL_CLIENT_OKTA_REQUEST_TIMEOUT=%s", c.RequestTimeout),
		"Okta needs seconds for a page of 1,000 events; use at least 1s", "SIGNAL_CLIENT_OKTA_REQUEST_TIMEOUT=60s")
	k.Add(c.MaxInFlight < 1, fmt.Sprintf("SIGNAL_CLIENT_MAX_IN_FLIGHT=%d", c.MaxInFlight),
		"no request would ever be sent; use at least 1", "SIGNAL_CLIENT_MAX_IN_FLIGHT=256")
	k.Add(c.PageMemory < leastPageMemory, fmt.Sprintf("SIGNAL_CLIENT_PAGE_MEMORY=%d", c.PageMemory),
		"a page may have 64MiB, and so may the next one, fetched while it is stored; use at least 128MiB", "SIGNAL_CLIENT_PAGE_MEMORY=256MiB")
	k.Add(c.SilentAfter < 0 || c.SilentAfter > 0 && c.SilentAfter < Duration(time.Second), fmt.Sprintf("SIGNAL_CLIENT_SILENT_AFTER=%s", c.SilentAfter),
		"use at least 1s, or 0s for never", "SIGNAL_CLIENT_SILENT_AFTER=24h")
	k.Add(c.AuditEvery < 0 || c.AuditEvery > 0 && c.AuditEvery < Duration(time.Second), fmt.Sprintf("SIGNAL_CLIENT_AUDIT_EVERY=%s", c.AuditEvery),
		"use at least 1s, or 0s for never", "SIGNAL_CLIENT_AUDIT_EVERY=1h")
	return k.Errs
}

func (c *Network) faults() []error {
	var k problem.Checks
	if c.CAFile != "" {
		if err := source.CheckAuthorities(context.Background(), c.CAFile); err != nil {
			k.Add(true, pathSetting("SIGNAL_CLIENT_CA_FILE", c.CAFile), "it can't be used: "+err.Error(), "SIGNAL_CLIENT_CA_FILE=<a file of certificates in PEM that this user can read>")
		}
	}
	return k.Errs
}

func (c *Log) faults() []error { return nil }

// faultsTogether checks settings of several sections against each other.
func (c *Config) faultsTogether() []error {
	var k problem.Checks
	k.Add(c.NATS.Embedded() && c.Stream.Replicas > 1, fmt.Sprintf("SIGNAL_CLIENT_NATS_REPLICAS=%d without NATS_URL", c.Stream.Replicas),
		"the embedded server is a single server and keeps one copy", "NATS_URL=nats://<host>:4222, or SIGNAL_CLIENT_NATS_REPLICAS=1")
	k.Add(c.ServesConsole() && c.ConsoleIsOpen(), "SIGNAL_CLIENT_HTTP_ADDR="+c.Process.HTTPAddr,
		"the console would be open to everyone who can reach that address",
		"SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE=<file>, whose lines signal-client console hash-password makes; OpenID Connect or a proxy, see: signal-client help configuration; or SIGNAL_CLIENT_CONSOLE=off")
	if _, err := source.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: "okta.com"}}); err != nil {
		setting, cause, _ := strings.Cut(err.Error(), " ")
		k.Add(true, setting, "it "+cause, "HTTPS_PROXY=http://<host>:<port>")
	}
	return k.Errs
}

// percentEncode explains how to write a password in a URL.
const percentEncode = "write the characters , / ? # % @ of a password percent-encoded: %2C %2F %3F %23 %25 %40"

// mayBeProxy reports whether a value can be a proxy's URL: an "@" in its path is a password's.
func mayBeProxy(proxy string) bool {
	u, err := url.Parse(proxy)
	return err == nil && u.Host != "" && !strings.Contains(u.Path+u.RawQuery+u.Fragment, "@")
}

// HostOf returns the host of an address with a port.
func HostOf(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return host, err
}

// leastPageMemory holds two of the largest pages: the current one and the prefetched one.
const leastPageMemory = 2 * page.DefaultMost

// OwnURL returns where the process serves /healthz, /readyz and /metrics.
func (c *Process) OwnURL() string {
	switch {
	case c.MetricsAddr != "":
		return "http://" + Reachable(c.MetricsAddr)
	case c.TLSCert != "":
		return "https://" + Reachable(c.HTTPAddr)
	}
	return "http://" + Reachable(c.HTTPAddr)
}

// Reachable returns the address at which a listener is reached.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

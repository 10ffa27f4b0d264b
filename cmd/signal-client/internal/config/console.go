package config

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
)

// Console configures the web console, and who may use it.
type Console struct {
	Serve        consoleMode `envconfig:"SIGNAL_CLIENT_CONSOLE" default:"auto" desc:"whether run serves the console: auto (beside an embedded NATS server), on or off"`
	URL          string      `envconfig:"SIGNAL_CLIENT_CONSOLE_URL" desc:"how browsers reach the console, such as https://console.example.com; needed behind a proxy that speaks TLS"`
	PasswordFile string      `envconfig:"SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE" desc:"file of the console's users, a line for each: name:role:hash, as console hash-password prints it; read again when it changes"`

	OIDCIssuer     string `envconfig:"SIGNAL_CLIENT_OIDC_ISSUER" desc:"OpenID Connect provider that logs users of the console in, such as https://acme.okta.com"`
	OIDCClientID   string `envconfig:"SIGNAL_CLIENT_OIDC_CLIENT_ID" desc:"id of the console at that provider; its redirect URI is <the console's address>/login/oidc/callback"`
	OIDCSecretFile string `envconfig:"SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE" desc:"file of the client's secret; read at each login"`
	OIDCAdminGroup string `envconfig:"SIGNAL_CLIENT_OIDC_ADMIN_GROUP" desc:"group of the claim groups whose members are admins; all others are viewers"`

	Auth         consoleAuth `envconfig:"SIGNAL_CLIENT_CONSOLE_AUTH" desc:"proxy: a reverse proxy logs users in and names them in a header"`
	ProxyAddrs   networks    `envconfig:"SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS" desc:"addresses or networks of the reverse proxy, comma separated: its headers count, nobody else's"`
	UserHeader   string      `envconfig:"SIGNAL_CLIENT_CONSOLE_PROXY_USER_HEADER" default:"X-Forwarded-User" desc:"the proxy's header with the user's name"`
	GroupsHeader string      `envconfig:"SIGNAL_CLIENT_CONSOLE_PROXY_GROUPS_HEADER" default:"X-Forwarded-Groups" desc:"the proxy's header with the user's groups, comma separated"`
	AdminGroup   string      `envconfig:"SIGNAL_CLIENT_CONSOLE_PROXY_ADMIN_GROUP" desc:"group of that header whose members are admins; all others are viewers"`
}

// ServesConsole reports whether run serves the console.
func (c Config) ServesConsole() bool {
	return c.Console.Serve == ConsoleOn || c.Console.Serve == consoleAuto && c.NATS.Embedded()
}

// ConsoleSections returns pointers to the sections that the console alone uses.
func (c *Config) ConsoleSections() []section {
	return []section{&c.NATS, &c.Server, &c.Process, &c.Network, &c.Secrets, &c.Console, &c.Search, &c.Log}
}

// LoadConsole is Load for a process that serves the console alone.
func (c *Config) LoadConsole(cmd *cobra.Command) error {
	if err := Load(cmd, c.ConsoleSections()...); err != nil {
		return err
	}
	c.Console.Serve, c.Stream.Replicas = ConsoleOn, 1
	return errors.Join(c.faultsTogether()...)
}

// ConsoleIsOpen reports whether the console would ask nobody who he is, at an address that
// others can reach.
func (c Config) ConsoleIsOpen() bool {
	host, err := HostOf(c.Process.HTTPAddr)
	return err == nil && !embedded.Loopback(host) && !c.Console.asks()
}

// asks reports whether users are asked who they are.
func (c *Console) asks() bool {
	return c.PasswordFile != "" || c.OIDCIssuer != "" || c.Auth == consoleProxy
}

// OIDCSecret reads the secret of the console at the provider; the zero Secret: it has
// none.
func (c *Console) OIDCSecret() (pipeline.Secret, error) {
	if c.OIDCSecretFile == "" {
		return pipeline.Secret{}, nil
	}
	text, err := pipeline.ReadFile(context.Background(), c.OIDCSecretFile, 1<<20)
	if err != nil {
		return pipeline.Secret{}, fmt.Errorf("read the client's secret: %w", err)
	}
	return pipeline.NewSecret(strings.TrimSpace(string(text))), nil
}

func (c *Console) faults() []error {
	var k problem.Checks
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		k.Add(err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "",
			"SIGNAL_CLIENT_CONSOLE_URL="+term.WithoutUser(c.URL), "it must be a scheme and a host, with nothing behind it", "SIGNAL_CLIENT_CONSOLE_URL=https://console.example.com")
	}
	if c.PasswordFile != "" {
		_, err := pipeline.ReadFile(context.Background(), c.PasswordFile, 1<<20)
		k.Add(err != nil, "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE="+c.PasswordFile, "it can't be read: "+fmt.Sprint(errors.Unwrap(err)), "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE=<a file that this user can read>")
	}
	return append(append(k.Errs, c.oidcFaults()...), c.proxyFaults()...)
}

func (c *Console) oidcFaults() []error {
	var k problem.Checks
	given := c.OIDCIssuer != "" || c.OIDCClientID != "" || c.OIDCSecretFile != "" || c.OIDCAdminGroup != ""
	k.Add(given && (c.OIDCIssuer == "" || c.OIDCClientID == ""), "SIGNAL_CLIENT_OIDC_ISSUER and SIGNAL_CLIENT_OIDC_CLIENT_ID", "OpenID Connect needs both", "set both, or none of SIGNAL_CLIENT_OIDC_…")
	if c.OIDCIssuer != "" {
		k.Add(!validIssuer(c.OIDCIssuer), "SIGNAL_CLIENT_OIDC_ISSUER="+term.WithoutUser(c.OIDCIssuer), "it must be a URL of https, or of http on loopback, without a user, a query or a fragment", "SIGNAL_CLIENT_OIDC_ISSUER=https://acme.okta.com")
	}
	if _, err := c.OIDCSecret(); err != nil {
		k.Add(true, "SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE="+c.OIDCSecretFile, err.Error(), "SIGNAL_CLIENT_OIDC_CLIENT_SECRET_FILE=<a file that this user can read>")
	}
	return k.Errs
}

func validIssuer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && embedded.Loopback(u.Hostname()))
}

func (c *Console) proxyFaults() []error {
	if c.Auth != consoleProxy {
		return nil
	}
	var k problem.Checks
	k.Add(len(c.ProxyAddrs) == 0, "SIGNAL_CLIENT_CONSOLE_AUTH=proxy without SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS", "everyone could send the proxy's headers", "SIGNAL_CLIENT_CONSOLE_PROXY_ADDRS=10.0.0.5, the proxy's address")
	k.Add(c.PasswordFile != "" || c.OIDCIssuer != "", "SIGNAL_CLIENT_CONSOLE_AUTH=proxy", "the proxy logs users in, so neither a password file nor OpenID Connect does", "unset one of them")
	k.Add(c.UserHeader == "" || strings.EqualFold(c.UserHeader, c.GroupsHeader), "SIGNAL_CLIENT_CONSOLE_PROXY_USER_HEADER="+c.UserHeader, "it must be a header of its own", "SIGNAL_CLIENT_CONSOLE_PROXY_USER_HEADER=X-Forwarded-User, the default")
	return k.Errs
}

// consoleAuth is empty or proxy.
type consoleAuth string

const consoleProxy consoleAuth = "proxy"

// Proxied reports whether a reverse proxy logs users in.
func (a consoleAuth) Proxied() bool { return a == consoleProxy }

// UnmarshalText parses it.
func (a *consoleAuth) UnmarshalText(text []byte) error {
	if string(text) != string(consoleProxy) {
		return errors.New("it must be proxy, or not set: then users are those of the password file or of OpenID Connect")
	}
	*a = consoleProxy
	return nil
}

// networks is addresses and networks.
type networks []netip.Prefix

// UnmarshalText parses a list with commas.
func (n *networks) UnmarshalText(text []byte) error {
	var all networks
	for one := range strings.SplitSeq(string(text), ",") {
		one = strings.TrimSpace(one)
		if addr, err := netip.ParseAddr(one); err == nil {
			all = append(all, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(one)
		if err != nil {
			return errors.New("it must be addresses or networks with commas between, such as 10.0.0.5,10.1.0.0/16")
		}
		all = append(all, network.Masked())
	}
	*n = all
	return nil
}

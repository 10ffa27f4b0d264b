package main

import (
	"log/slog"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/console"
	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/run"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/search"
)

// newConsole makes the console that run, demo and console serve.
func newConsole(c config.Config, index *search.Service, log *slog.Logger) (run.Console, error) {
	if err := access.CheckPasswordFile(c.Console.PasswordFile); c.Console.PasswordFile != "" && err != nil {
		return nil, &problem.Error{
			Op: "SIGNAL_CLIENT_CONSOLE_PASSWORD_FILE=" + c.Console.PasswordFile, Err: err,
			Hint: "signal-client console hash-password --user <name> --role admin >> " + c.Console.PasswordFile, Code: problem.BadUsage,
		}
	}
	if inTheClear(c) {
		log.Warn("console: without TLS, whoever can listen on the network can read passwords and sessions",
			"try", "SIGNAL_CLIENT_TLS_CERT and SIGNAL_CLIENT_TLS_KEY; or a proxy that speaks TLS, and SIGNAL_CLIENT_CONSOLE_URL=https://…")
	}
	return console.New(console.Config{Access: accessConfig(c), Index: index, Replicas: c.Stream.Replicas, Network: c.Network.Source(), Log: log})
}

// accessConfig says who may use the console.
func accessConfig(c config.Config) access.Config {
	who := access.Config{
		PasswordFile: c.Console.PasswordFile, URL: c.Console.URL, TLS: c.Process.TLSCert != "", Proxies: c.Console.ProxyAddrs,
	}
	if c.Console.OIDCIssuer != "" {
		who.OIDC = &access.OIDC{
			Issuer: c.Console.OIDCIssuer, ClientID: c.Console.OIDCClientID, Secret: c.Console.OIDCSecret,
			AdminGroup: c.Console.OIDCAdminGroup,
		}
	}
	if c.Console.Auth.Proxied() {
		who.Proxy = &access.Proxy{UserHeader: c.Console.UserHeader, GroupsHeader: c.Console.GroupsHeader, AdminGroup: c.Console.AdminGroup}
	}
	return who
}

// inTheClear reports whether passwords are sent over a network as they are.
func inTheClear(c config.Config) bool {
	host, err := config.HostOf(c.Process.HTTPAddr)
	return err == nil && !embedded.Loopback(host) && c.Process.TLSCert == "" &&
		!strings.HasPrefix(c.Console.URL, "https:") && !c.Console.Auth.Proxied()
}

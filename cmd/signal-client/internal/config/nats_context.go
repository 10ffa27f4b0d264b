package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/sink/jets"
)

// natsContext is a context of the nats command.
type natsContext struct {
	settings natscontext.Settings
	options  []nats.Option // of its connection
}

func readContext(name string) (natsContext, error) {
	refuse := func(err error, hint string) (natsContext, error) {
		return natsContext{}, &problem.Error{Op: "read the nats context " + name, Err: err, Hint: hint, Code: problem.BadUsage}
	}
	const where = "nats context ls lists them; NATS_CONTEXT takes a name or the path of a file"
	path, err := ContextPath(name)
	if err != nil {
		return refuse(err, where)
	}
	var c natsContext
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &c.settings)
	}
	if err != nil {
		return refuse(err, where)
	}
	if c.settings.NSCLookup != "" {
		return refuse(errors.New("it looks up its credentials with the nsc command, which a service must not run"),
			"write them to a file: nsc generate creds > stage.creds; then NATS_CREDS=stage.creds and NATS_URL")
	}
	if err := jets.CheckServers(c.settings.URL); err != nil {
		return refuse(fmt.Errorf("its url: %w", err), "put user and password into its members user and password, which take any character, or "+percentEncode)
	}
	if proxy := c.settings.SocksProxy; proxy != "" && !mayBeProxy(proxy) {
		return refuse(errors.New("its socks_proxy can't be read"), percentEncode)
	}
	if c.options, err = contextOptions(path); err != nil {
		return refuse(err, where)
	}
	return c, nil
}

// ContextPath returns where the nats command stores a context.
func ContextPath(name string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".json") {
		return filepath.Abs(name)
	}
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "nats", "context", name+".json"), nil
}

// errCaptured keeps natscontext from connecting: this program connects itself.
var errCaptured = errors.New("options captured")

// contextOptions returns the options that natscontext would connect with.
func contextOptions(path string) ([]nats.Option, error) {
	var captured nats.Options
	_, _, err := natscontext.Connect(path, func(o *nats.Options) error {
		captured = *o
		return errCaptured
	})
	if !errors.Is(err, errCaptured) {
		return nil, err
	}
	return []nats.Option{func(o *nats.Options) error {
		// Only what a context can set; the other options stay.
		o.User, o.Password, o.Token, o.Nkey = captured.User, captured.Password, captured.Token, captured.Nkey
		o.UserJWT, o.SignatureCB = captured.UserJWT, captured.SignatureCB
		o.Secure, o.TLSConfig, o.TLSHandshakeFirst = captured.Secure, captured.TLSConfig, captured.TLSHandshakeFirst
		o.TLSCertCB, o.RootCAsCB = captured.TLSCertCB, captured.RootCAsCB
		o.CustomDialer = captured.CustomDialer
		if captured.InboxPrefix != "" {
			o.InboxPrefix = captured.InboxPrefix
		}
		return nil
	}}, nil
}

// listening reports whether something accepts connections at the address.
func listening(ctx context.Context, addr string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", Reachable(addr))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// DescribeAway returns briefly why NATS can't be reached, or has no JetStream.
func DescribeAway(where string, err error) string {
	if errors.Is(err, jets.ErrNoJetStream) {
		return fmt.Sprintf("NATS at %s has no JetStream for this account yet: %s", where, problem.Hint(err))
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return fmt.Sprintf("NATS at %s is not reachable: %s", where, strings.TrimPrefix(err.Error(), "nats: "))
		}
		err = inner
	}
}

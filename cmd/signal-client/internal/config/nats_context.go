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

// readContext reads a context by name or from a file.
func readContext(name string) (natsContext, error) {
	p := &problem.Error{Op: "read the nats context " + name, Code: problem.BadUsage, Hint: "nats context ls lists them; NATS_CONTEXT takes a name or the path of a file"}
	path, err := ContextPath(name)
	if err != nil {
		p.Err = err
		return natsContext{}, p
	}
	var c natsContext
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &c.settings)
	}
	if err != nil {
		p.Err = err
		return c, p
	}
	if c.settings.NSCLookup != "" {
		p.Err = errors.New("it looks up its credentials with the nsc command, which a service must not run")
		p.Hint = "write them to a file: nsc generate creds > stage.creds; then NATS_CREDS=stage.creds and NATS_URL"
		return c, p
	}
	if err := jets.CheckServers(c.settings.URL); err != nil {
		p.Err = fmt.Errorf("its url: %w", err)
		p.Hint = "put user and password into its members user and password, which take any character, or " + percentEncode
		return c, p
	}
	if proxy := c.settings.SocksProxy; proxy != "" && !mayBeProxy(proxy) {
		p.Err = errors.New("its socks_proxy can't be read")
		p.Hint = percentEncode
		return c, p
	}
	if c.options, err = contextOptions(path); err != nil {
		p.Err = err
		return c, p
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

// errCaptured keeps natscontext from connecting: this program connects itself,
// repeatedly.
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

package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
)

// Dialing is how to connect to NATS: servers and credentials.
type Dialing struct {
	Dialer  jets.Dialer
	servers string
	Options []nats.Option
	Where   string // for messages: without user and password
	refused string // what to try when NATS refuses the user; empty: as for any server
}

// Dialing returns how to connect to the configured servers. Variables override the
// context, as in the nats command.
func (c NATS) Dialing() (Dialing, error) {
	d := Dialing{servers: c.URL}
	if c.Context != "" {
		context, err := readContext(c.Context)
		if err != nil {
			return d, err
		}
		d.servers = cmp.Or(c.URL, context.settings.URL)
		d.Options = context.options
		d.Dialer.Domain, d.Dialer.APIPrefix = context.settings.JSDomain, context.settings.JSAPIPrefix
	}
	if c.Domain != "" {
		d.Dialer.Domain, d.Dialer.APIPrefix = c.Domain, ""
	}
	as, err := c.as()
	if err != nil {
		return d, err
	}
	d.Options = append(d.Options, as...)
	if c.CA != "" {
		d.Options = append(d.Options, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		d.Options = append(d.Options, nats.ClientCert(c.Cert, c.Key))
	}
	d.Where = jets.Hosts(d.servers)
	return d, nil
}

// as returns the credentials, in the order of the nats command: the first kind counts,
// and a token is added to it. They replace the context's.
func (c NATS) as() ([]nats.Option, error) {
	var as []nats.Option
	switch {
	case !c.Password.IsZero():
		as = append(as, nats.UserInfo(c.User.Reveal(), c.Password.Reveal()))
	case c.Creds != "":
		as = append(as, nats.UserCredentials(c.Creds))
	case c.NKey != "":
		seed, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, problem.Usage("NATS_NKEY="+c.NKey, "it contains no seed of a user NKEY", "create one with nsc or nk -gen user; for a file of an NKEY and a JWT use NATS_CREDS")
		}
		as = append(as, seed)
	}
	if token := cmp.Or(c.Token, c.User); !token.IsZero() && c.Password.IsZero() {
		as = append(as, nats.Token(token.Reveal()))
	}
	if len(as) > 0 {
		as = slices.Insert(as, 0, forgetUser)
	}
	return as, nil
}

func forgetUser(o *nats.Options) error {
	o.User, o.Password, o.Token, o.Nkey, o.UserJWT, o.SignatureCB = "", "", "", "", nil, nil
	return nil
}

// Connect connects once. It returns when ctx ends, even if a silent server holds nats.go up.
func (d Dialing) Connect(ctx context.Context, log *slog.Logger) (*jets.Conn, error) {
	type result struct {
		conn *jets.Conn
		err  error
	}
	d.Dialer.Log = log
	made := make(chan result, 1)
	go func() {
		conn, err := d.Dialer.Connect(ctx, d.servers, d.Options...)
		made <- result{conn, err}
	}()
	select {
	case r := <-made:
		if d.refused != "" && errors.Is(r.err, nats.ErrAuthorization) {
			r.err = &problem.Error{Op: "connect to nats at " + d.Where, Err: errors.Unwrap(r.err), Hint: d.refused, Code: problem.BadCredential}
		}
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if late := <-made; late.conn != nil {
				late.conn.Close()
			}
		}()
		return nil, fmt.Errorf("connect to nats at %s: %w", d.Where, context.Cause(ctx))
	}
}

// Await connects as soon as NATS can be reached, and reports to away why it can't be yet.
// It returns only errors that waiting does not cure.
func (d Dialing) Await(ctx context.Context, log *slog.Logger, away func(error)) (*jets.Conn, error) {
	backoff := pipeline.Backoff{Min: 250 * time.Millisecond, Max: 5 * time.Second}
	// A server that briefly refuses the credentials while it reloads its accounts must
	// not end an existing connection.
	d.Options = append(d.Options, nats.IgnoreAuthErrorAbort())
	for {
		conn, err := d.Connect(ctx, log)
		if err == nil || final(err) || ctx.Err() != nil {
			return conn, err
		}
		away(err)
		if err := pipeline.Sleep(ctx, backoff.Next()); err != nil {
			return nil, err
		}
	}
}

// finals are errors of NATS that waiting does not cure.
var finals = []error{
	jets.ErrServerTooOld, jets.ErrServerURL, jets.ErrUserInfo,
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation,
	nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrNkeysNotSupported,
	fs.ErrNotExist, fs.ErrPermission,
}

// final reports whether waiting does not help.
func final(err error) bool {
	_, badURL := errors.AsType[*url.Error](err)
	return badURL || slices.ContainsFunc(finals, func(f error) bool { return errors.Is(err, f) })
}

// StartEmbedded starts the embedded server.
func StartEmbedded(ctx context.Context, c Server, log *slog.Logger) (*embedded.Server, error) {
	cfg := embedded.Config{
		Dir:          c.DataDir,
		Listen:       c.Listen,
		SyncInterval: time.Duration(c.Sync),
		User:         c.User,
		Log:          log,
		NoPassword:   c.NoPassword(),
	}
	if !cfg.NoPassword {
		cfg.Password = c.Password.Reveal()
	}
	server, err := embedded.Start(ctx, cfg)
	if err == nil || ctx.Err() != nil {
		return server, err
	}
	p := &problem.Error{Op: "start the embedded NATS server", Err: err, Code: problem.Failed}
	switch {
	case errors.Is(err, embedded.ErrInUse):
		p.Hint = "stop the other signal-client, or use another directory for this one: SIGNAL_CLIENT_DATA_DIR=<directory>"
	case errors.Is(err, embedded.ErrContext):
		p.Hint = problem.Hint(err)
	case listening(ctx, c.Listen):
		p.Hint = fmt.Sprintf("use the server that listens there: NATS_URL=nats://%s, or listen on another address: SIGNAL_CLIENT_NATS_LISTEN=127.0.0.1:4223", c.Listen)
	case errors.Is(err, fs.ErrPermission):
		p.Hint = "SIGNAL_CLIENT_DATA_DIR=<a directory that this user can write to>"
	}
	return nil, p
}

// To returns how a command connects to the service's NATS: to the configured servers, or to
// the embedded one of a signal-client on this machine.
func (c NATS) To(s Server) (Dialing, error) {
	if !c.Embedded() {
		return c.Dialing()
	}
	d := Dialing{servers: "nats://" + Reachable(s.Listen)}
	switch {
	case s.NoPassword():
	case !s.Password.IsZero():
		d.Options = append(d.Options, nats.UserInfo(s.User, s.Password.Reveal()))
	default:
		var err error
		if d.Options, d.refused, err = s.login(); err != nil {
			return d, err
		}
	}
	d.Where = jets.Hosts(d.servers)
	return d, nil
}

// login returns how a command logs in with the password that the embedded server keeps in
// the data directory, and what to try when that is refused. A directory without one is no
// error: the server may be one of an earlier version, which asked for none.
func (s Server) login() (options []nats.Option, refused string, err error) {
	why := "holds another password"
	switch _, err := embedded.ReadLogin(s.DataDir); {
	case errors.Is(err, fs.ErrNotExist):
		why = "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return nil, "", &problem.Error{Op: "read the password of the embedded NATS server", Err: err, Code: problem.BadCredential,
			Hint: "run it as the service's user or as root; for another server: NATS_URL=nats://<host>:4222"}
	case err != nil:
		return nil, "", &problem.Error{Op: "read the password of the embedded NATS server", Err: err}
	}
	refused = fmt.Sprintf("SIGNAL_CLIENT_DATA_DIR=<the service's data directory>: %s %s; or set SIGNAL_CLIENT_NATS_USER and SIGNAL_CLIENT_NATS_PASSWORD as the service has them",
		s.ContextPath(), why)
	// Read at each reconnect: a server that came back may have another one.
	return []nats.Option{nats.UserInfoHandler(func() (user, password string) {
		login, _ := embedded.ReadLogin(s.DataDir)
		return login.User, login.Password.Reveal()
	})}, refused, nil
}

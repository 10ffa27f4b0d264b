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

// Dialing is how NATS is reached: the servers, and as whom.
type Dialing struct {
	Dialer  jets.Dialer
	servers string
	Options []nats.Option
	Where   string // for people: without user and password
}

// Dialing says how the servers that are configured are reached. Variables
// override what a context says, as in the nats command.
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

// as is who connects, in the order of the nats command: what stands first counts, and a
// token is added to it. What a context says of it is forgotten then.
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
			return nil, &problem.Error{Op: "NATS_NKEY=" + c.NKey, Err: errors.New("it holds no seed of a user NKEY"), Hint: "nsc or nk -gen user makes one; a file of an NKEY and a JWT is NATS_CREDS", Code: problem.BadUsage}
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

// Connect connects once. It returns when ctx ends, whatever a server that does
// not answer makes nats.go wait for.
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

// Await connects as soon as NATS can be reached, and tells away why it can't be
// yet. Its errors are those that no waiting helps against.
func (d Dialing) Await(ctx context.Context, log *slog.Logger, away func(error)) (*jets.Conn, error) {
	backoff := pipeline.Backoff{Min: 250 * time.Millisecond, Max: 5 * time.Second}
	// A server that refuses the credentials for a moment, since it reads its
	// accounts anew, must not end a connection that stood.
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

// finals are the errors of NATS that stay until somebody does something.
var finals = []error{
	jets.ErrServerTooOld,
	nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation,
	nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrNkeysNotSupported,
	fs.ErrNotExist, fs.ErrPermission,
}

// final reports whether waiting can't help.
func final(err error) bool {
	for _, f := range finals {
		if errors.Is(err, f) {
			return true
		}
	}
	_, badURL := errors.AsType[*url.Error](err)
	return badURL || errors.Is(err, jets.ErrServerURL) || errors.Is(err, jets.ErrUserInfo)
}

// StartEmbedded starts the server that the program brings along.
func StartEmbedded(ctx context.Context, c Server, log *slog.Logger) (*embedded.Server, error) {
	server, err := embedded.Start(ctx, embedded.Config{
		Dir:          c.DataDir,
		Listen:       c.Listen,
		SyncInterval: time.Duration(c.Sync),
		User:         c.User,
		Password:     c.Password.Reveal(),
		Log:          log,
	})
	if err == nil || ctx.Err() != nil {
		return server, err
	}
	p := &problem.Error{Op: "start the embedded NATS server", Err: err, Code: problem.Failed}
	switch {
	case errors.Is(err, embedded.ErrInUse):
		p.Hint = "stop the other signal-client, or give this one its own: SIGNAL_CLIENT_DATA_DIR=<directory>"
	case listening(ctx, c.Listen):
		p.Hint = fmt.Sprintf("use the server that listens there: NATS_URL=nats://%s, or listen elsewhere: SIGNAL_CLIENT_NATS_LISTEN=127.0.0.1:4223", c.Listen)
	case errors.Is(err, fs.ErrPermission):
		p.Hint = "SIGNAL_CLIENT_DATA_DIR=<a directory that this user may write to>"
	}
	return nil, p
}

// ToEmbedded says how another process reaches the embedded server of a
// signal-client that runs on this machine.
func (c Server) ToEmbedded() Dialing {
	d := Dialing{servers: "nats://" + Reachable(c.Listen)}
	if !c.Password.IsZero() {
		d.Options = append(d.Options, nats.UserInfo(c.User, c.Password.Reveal()))
	}
	d.Where = jets.Hosts(d.servers)
	return d
}

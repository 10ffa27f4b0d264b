package main

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
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
)

// dialing is how NATS is reached: the servers, and as whom.
type dialing struct {
	dialer  jets.Dialer
	servers string
	options []nats.Option
	where   string // for people: without user and password
}

// dialing says how the servers that are configured are reached. Variables
// override what a context says, as in the nats command.
func (c natsConfig) dialing() (dialing, error) {
	d := dialing{servers: c.URL}
	if c.Context != "" {
		context, err := readContext(c.Context)
		if err != nil {
			return d, err
		}
		d.servers = cmp.Or(c.URL, context.settings.URL)
		d.options = context.options
		d.dialer.Domain, d.dialer.APIPrefix = context.settings.JSDomain, context.settings.JSAPIPrefix
	}
	as, err := c.as()
	if err != nil {
		return d, err
	}
	d.options = append(d.options, as...)
	if c.CA != "" {
		d.options = append(d.options, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		d.options = append(d.options, nats.ClientCert(c.Cert, c.Key))
	}
	d.where = jets.Hosts(d.servers)
	return d, nil
}

// as is who connects, in the order of the nats command: what stands first counts, and a
// token is added to it. What a context says of it is forgotten then.
func (c natsConfig) as() ([]nats.Option, error) {
	var as []nats.Option
	switch {
	case !c.Password.IsZero():
		as = append(as, nats.UserInfo(c.User.Reveal(), c.Password.Reveal()))
	case c.Creds != "":
		as = append(as, nats.UserCredentials(c.Creds))
	case c.NKey != "":
		seed, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, &problem{Op: "NATS_NKEY=" + c.NKey, Err: errors.New("it holds no seed of a user NKEY"), Hint: "nsc or nk -gen user makes one; a file of an NKEY and a JWT is NATS_CREDS", Code: exitUsage}
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

// connect connects once. It returns when ctx ends, whatever a server that does
// not answer makes nats.go wait for.
func (d dialing) connect(ctx context.Context, log *slog.Logger) (*jets.Conn, error) {
	type result struct {
		conn *jets.Conn
		err  error
	}
	d.dialer.Log = log
	made := make(chan result, 1)
	go func() {
		conn, err := d.dialer.Connect(ctx, d.servers, d.options...)
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
		return nil, fmt.Errorf("connect to nats at %s: %w", d.where, context.Cause(ctx))
	}
}

// await connects as soon as NATS can be reached, and tells away why it can't be
// yet. Its errors are those that no waiting helps against.
func (d dialing) await(ctx context.Context, log *slog.Logger, away func(error)) (*jets.Conn, error) {
	backoff := pipeline.Backoff{Min: 250 * time.Millisecond, Max: 5 * time.Second}
	// A server that refuses the credentials for a moment, since it reads its
	// accounts anew, must not end a connection that stood.
	d.options = append(d.options, nats.IgnoreAuthErrorAbort())
	for {
		conn, err := d.connect(ctx, log)
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

// startEmbedded starts the server that the program brings along.
func startEmbedded(ctx context.Context, c serverConfig, log *slog.Logger) (*embedded.Server, error) {
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
	p := &problem{Op: "start the embedded NATS server", Err: err, Code: exitFailed}
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

// toEmbedded says how another process reaches the embedded server of a
// signal-client that runs on this machine.
func (c serverConfig) toEmbedded() dialing {
	d := dialing{servers: "nats://" + reachable(c.Listen)}
	if !c.Password.IsZero() {
		d.options = append(d.options, nats.UserInfo(c.User, c.Password.Reveal()))
	}
	d.where = jets.Hosts(d.servers)
	return d
}

// visitTime bounds what a command waits for NATS.
const visitTime = 15 * time.Second

// visit connects a command to the NATS that a service works with.
func visit(ctx context.Context, n natsConfig, s serverConfig) (*jets.Conn, error) {
	if !n.Embedded() {
		d, err := n.dialing()
		if err != nil {
			return nil, err
		}
		return d.connect(ctx, slog.New(slog.DiscardHandler))
	}
	conn, err := s.toEmbedded().connect(ctx, slog.New(slog.DiscardHandler))
	if err == nil {
		return conn, nil
	}
	p := explain(err)
	if p.Code == exitUnreachable {
		p.Hint = "start the service (signal-client run), or say where NATS is: NATS_URL=nats://<host>:4222; if the service listens elsewhere: SIGNAL_CLIENT_NATS_LISTEN=<its address>"
	}
	return nil, &p
}

// closing closes a command's connection, and keeps what was refused on it.
func (p *program) closing(conn *jets.Conn) func() {
	return func() {
		if refusal := conn.NATS.LastError(); errors.Is(refusal, nats.ErrPermissionViolation) {
			p.denied = refusal
		}
		conn.Close()
	}
}

// present takes a bucket that nobody has made yet for an empty one.
func present(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

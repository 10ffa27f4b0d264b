package jets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrServerTooOld refuses a nats-server without the features that the sink needs.
	ErrServerTooOld = errors.New("nats-server is too old: 2.12 or newer is needed")
	// ErrNoJetStream refuses a server or account without JetStream. That may change: a
	// leaf node's connection to its hub may be down, or the account not set up yet.
	ErrNoJetStream = errors.New("no JetStream answers for this account")
	// ErrForeignAck: another stream acknowledged a message; ours may not have it.
	ErrForeignAck = errors.New("another stream acknowledged it")
	// ErrDisconnected is the error of a request whose connection dropped, and the cause
	// of an ended epoch. It is unknown whether the request was carried out.
	ErrDisconnected = errors.New("connection to nats dropped")
)

const defaultPrefix = "$JS.API"

// Atomic batches exist since 2.12.
const leastMajor, leastMinor = 2, 12

// RequestTimeout bounds a request whose context has no deadline. A cluster that has lost
// a leader needs 4–9 s to elect a new one; the caller asks again.
const RequestTimeout = 5 * time.Second

// Dialer is how Connect connects. The zero value suits most cases.
type Dialer struct {
	Domain    string // JetStream domain; empty: the server's
	APIPrefix string // of an imported JetStream API; empty: that of Domain

	// Silence is how long a server may be silent before the connection is given up and
	// another server tried; it is pinged every quarter of that. Use the session's TTL,
	// else the session expires first. 0: 10 s.
	Silence time.Duration

	Log *slog.Logger // nil: none
}

// Conn is a connection to NATS with JetStream. It reconnects by itself, however long the
// server is away. It is safe for concurrent use.
type Conn struct {
	NATS      *nats.Conn
	JS        jetstream.JetStream
	APIPrefix string // of JetStream's API subjects, without a trailing dot: $JS.API

	log     *slog.Logger
	domain  atomic.Pointer[string] // JetStream's domain by its newest answer; nil: no answer yet
	foreign sync.Once              // logs an acknowledgement by another site

	mu    sync.Mutex
	epoch context.Context // ends when the connection drops
	end   context.CancelCauseFunc
	up    chan struct{} // closed while connected
	away  absence
	told  map[string]time.Time // problems logged within the last minute
}

// Connect connects with the zero Dialer.
func Connect(ctx context.Context, urls string, opts ...nats.Option) (*Conn, error) {
	return Dialer{}.Connect(ctx, urls, opts...)
}

// Connect tries each of the servers in urls (comma separated) once and checks the one that
// answers: ErrServerTooOld or ErrNoJetStream. Users and passwords in urls are never shown.
func (d Dialer) Connect(ctx context.Context, urls string, opts ...nats.Option) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := CheckServers(urls); err != nil {
		return nil, fmt.Errorf("connect to nats%s: %w", at(urls), err)
	}
	c := &Conn{APIPrefix: d.prefix(), log: OrDiscard(d.Log)}
	c.opened()
	nc, err := nats.Connect(urls, c.options(cmp.Or(d.Silence, 10*time.Second), opts)...)
	if err != nil {
		return nil, fmt.Errorf("connect to nats%s: %w", at(urls), withoutURL(err))
	}
	c.NATS = nc
	if err := c.check(ctx, d); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to nats%s: %w", at(urls), err)
	}
	return c, nil
}

// options puts the defaults before the caller's options, which may override them, and the
// hooks after.
func (c *Conn) options(silence time.Duration, opts []nats.Option) []nats.Option {
	ours := []nats.Option{
		nats.Name("signal-client"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.ReconnectJitter(500*time.Millisecond, time.Second),
		// A publish without a connection must fail at once: half a batch sent after a
		// reconnect would be worse than none.
		nats.ReconnectBufSize(-1),
		nats.Timeout(5 * time.Second),
		// A frozen server, or one that can't be reached, closes nothing. Two unanswered
		// pings end the connection, as does a blocked write.
		nats.PingInterval(silence / 4), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(silence / 2),
		nats.ErrorHandler(c.failed),
	}
	return append(append(ours, opts...),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.tried(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.dropped()
			if err != nil {
				c.log.Warn("connection to nats dropped", "err", withoutURL(err))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			since, _ := c.Away()
			c.log.Info("connected to nats again", "server", nc.ConnectedServerName(), "after", time.Since(since).Round(time.Second))
			c.opened()
		}),
		nats.ClosedHandler(func(*nats.Conn) { c.dropped() }))
}

// check refuses a server that lacks what is needed.
func (c *Conn) check(ctx context.Context, d Dialer) error {
	if version := c.NATS.ConnectedServerVersion(); !newEnough(version) {
		return fmt.Errorf("server %s is version %s: %w", c.NATS.ConnectedServerName(), version, ErrServerTooOld)
	}
	var err error
	if c.JS, err = d.jetStream(c.NATS); err != nil {
		return err
	}
	limit := RequestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*9/10) // leaves time to report the reason
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ctx, done := c.Epoch(ctx)
	defer done()
	account, err := c.JS.AccountInfo(ctx)
	if err == nil {
		c.domain.Store(&account.Domain)
	}
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return ErrNoJetStream
	}
	if denied := c.Denied(nil); err != nil && denied != nil {
		err = denied
	}
	if err != nil {
		return fmt.Errorf("ask for JetStream: %w", Cause(ctx, err))
	}
	return nil
}

func (d Dialer) jetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	switch {
	case d.APIPrefix != "":
		return jetstream.NewWithAPIPrefix(nc, d.APIPrefix)
	case d.Domain != "":
		return jetstream.NewWithDomain(nc, d.Domain)
	}
	return jetstream.New(nc)
}

func (d Dialer) prefix() string {
	switch {
	case d.APIPrefix != "":
		return strings.TrimSuffix(d.APIPrefix, ".")
	case d.Domain != "":
		return "$JS." + d.Domain + ".API"
	}
	return defaultPrefix
}

// Close ends the connection and every epoch.
func (c *Conn) Close() { c.NATS.Close() }

// Connected reports whether the connection is up.
func (c *Conn) Connected() bool { return c.NATS.IsConnected() }

// Up waits until the connection is up or ctx ends.
func (c *Conn) Up(ctx context.Context) error {
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Epoch returns a context that ends with ctx, and with cause ErrDisconnected when the
// connection drops; without a connection it has ended already. In nats.go a request does
// not fail when its connection drops, so every request is bound to an epoch.
func (c *Conn) Epoch(ctx context.Context) (context.Context, context.CancelFunc) {
	c.mu.Lock()
	epoch := c.epoch
	c.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	if epoch.Err() != nil {
		cancel(ErrDisconnected)
		return ctx, func() {}
	}
	stop := context.AfterFunc(epoch, func() { cancel(ErrDisconnected) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Generation returns the number of reconnects.
func (c *Conn) Generation() uint64 { return c.NATS.Stats().Reconnects }

// opened starts an epoch.
func (c *Conn) opened() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		c.end(ErrDisconnected)
	}
	c.epoch, c.end = context.WithCancelCause(context.Background())
	c.away = absence{}
	if c.up == nil {
		c.up = make(chan struct{})
	}
	select {
	case <-c.up:
	default:
		close(c.up)
	}
}

// dropped ends the epoch.
func (c *Conn) dropped() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(ErrDisconnected)
	if c.away.since.IsZero() {
		c.away = absence{since: time.Now(), why: ErrDisconnected}
	}
	select {
	case <-c.up:
		c.up = make(chan struct{})
	default:
	}
}

// refused replaces a timeout by the permission error that NATS reported.
func (c *Conn) refused(subject string, err error) error {
	if denied := c.DeniedOn(subject); denied != nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v: %w", AckTimeout, denied)
	}
	return err
}

// newEnough reports whether a version such as 2.12.1 is new enough. One that can't be
// read is accepted: the features are checked anyway.
func newEnough(version string) bool {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return true
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return true
	}
	return major > leastMajor || major == leastMajor && minor >= leastMinor
}

// FaultyBatches reports whether a server of a version has known faults of atomic batches:
// before 2.12.14, and 2.14.0 to 2.14.3. Source: release notes and issues of nats-server
// (#8305, #8376), read 2026-11.
func FaultyBatches(version string) bool {
	var major, minor, patch int
	n, _ := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d.%d", &major, &minor, &patch)
	switch {
	case n < 3 || major != 2:
		return false
	case minor == 14:
		return patch < 4
	}
	return minor < 12 || minor == 12 && patch < 14
}

// at returns " at " and the hosts, without users, passwords and tokens.
func at(urls string) string {
	if hosts := Hosts(urls); hosts != "" {
		return " at " + hosts
	}
	return ""
}

// withoutURL replaces an error of net/url, which quotes the URL and with it a password.
func withoutURL(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return ErrServerURL
	}
	return err
}

// OrDiscard returns log, or a logger that discards everything if log is nil.
func OrDiscard(log *slog.Logger) *slog.Logger {
	return cmp.Or(log, slog.New(slog.DiscardHandler))
}

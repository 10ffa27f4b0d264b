package access

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// Config configures Access. Without PasswordFile, OIDC and Proxy the console is open, to
// requests that reach it on a loopback address.
type Config struct {
	PasswordFile string // users, one a line: name:role:argon2id hash
	OIDC         *OIDC  // nil: none
	Proxy        *Proxy // nil: none; it excludes the two above

	// Proxies are the addresses of reverse proxies: their X-Forwarded-For says who tries to
	// log in, and with Proxy they say who the user is.
	Proxies []netip.Prefix

	// URL is how browsers reach the console; empty: as each request says.
	URL string
	// TLS says that the listener speaks TLS. A URL of https has the same effect on
	// cookies.
	TLS bool

	Log *slog.Logger // nil: none
	// Render shows a page: "login" with a LoginPage, "error" with a Refusal; nil: plain
	// text.
	Render func(w http.ResponseWriter, r *http.Request, status int, name string, data any)
}

// open reports whether the console asks nobody who he is.
func (c *Config) open() bool { return c.PasswordFile == "" && c.OIDC == nil && c.Proxy == nil }

// Access lets requests of known users through. It is safe for concurrent use.
type Access struct {
	config    Config
	log       *slog.Logger
	passwords *passwordFile // nil: none
	attempts  *attempts
	origins   http.CrossOriginProtection
	logins    atomic.Pointer[buckets.Logins] // nil: the store is not open yet
	recheck   time.Duration                  // how often the user of a request that lasts is looked up again
}

// New checks the configuration and reads the password file.
func New(c Config) (*Access, error) {
	a := &Access{config: c, log: jets.OrDiscard(c.Log), attempts: newAttempts(), recheck: 15 * time.Second}
	if c.PasswordFile != "" {
		var err error
		if a.passwords, err = openPasswords(c.PasswordFile, a.log); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Open lets Access read and write sessions and tokens.
func (a *Access) Open(store *jets.Store) { a.logins.Store(&buckets.Logins{Store: store}) }

// Wrap serves /login and /logout, and lets requests of known users reach next.
func (a *Access) Wrap(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", a.showLogin)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("GET "+oidcPath, a.beginOIDC)
	mux.HandleFunc("GET "+callbackPath, a.endOIDC)
	mux.Handle("/", a.identified(next))
	return a.Headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why, ok := a.suspect(r); ok {
			a.Refuse(w, r, why)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// identified lets requests of known users reach next.
func (a *Access) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := a.identify(r)
		if err != nil {
			a.unknown(w, r, err)
			return
		}
		ctx, stop := a.whileValid(r, user)
		defer stop()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, visitKey{}, visit{user: user, access: a})))
	})
}

var (
	errNobody   = errors.New("nobody is logged in")
	errNotOpen  = errors.New("sessions can't be read yet: NATS is not connected")
	errToken    = errors.New("the API token is unknown or was revoked")
	errNotProxy = errors.New("it did not come from the trusted proxy")
)

// identify returns who sends a request. A token counts before everything else: a script
// that sends one wants its role. Other credentials than ours are for a proxy in front, some
// of which pass them on.
func (a *Access) identify(r *http.Request) (User, error) {
	switch {
	case r.Header.Get("Authorization") != "" && (a.config.Proxy == nil || hasToken(r)):
		return a.byToken(r)
	case a.config.open():
		return User{Name: "local", Role: RoleAdmin, Via: ViaLoopback}, nil
	case a.config.Proxy != nil:
		if !a.trusts(remote(r)) {
			return User{}, errNotProxy
		}
		return a.config.Proxy.identify(r)
	}
	return a.bySession(r)
}

// trusts reports whether an address is a reverse proxy's.
func (a *Access) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.config.Proxies, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// unknown answers a request of an unknown user: a page is sent to the login.
func (a *Access) unknown(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case !errors.Is(err, errNobody) && !errors.Is(err, errToken) && !errors.Is(err, errNotProxy):
		a.log.Warn("console: who sends a request can't be found out", "err", err)
		w.Header().Set("Retry-After", "1")
		a.Refuse(w, r, Refusal{Status: http.StatusServiceUnavailable, Title: "Not ready yet", Cause: "Sessions and API tokens are in NATS, which does not answer.", Remedy: "Try again in a moment."})
	case a.config.Proxy != nil && errors.Is(err, errNotProxy):
		a.Refuse(w, r, Refusal{Status: http.StatusUnauthorized, Title: "Not logged in", Cause: "The console is behind a proxy that logs users in, and this request did not come through it.", Remedy: "Open the console by the proxy's address."})
	case wantsProblem(r) || r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("WWW-Authenticate", "Bearer")
		a.Refuse(w, r, Refusal{Status: http.StatusUnauthorized, Title: "Not logged in", Cause: sentence(err), Remedy: "Log in at /login, or send an API token: Authorization: Bearer <token>"})
	default:
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, loginURL(r.URL.RequestURI()), http.StatusSeeOther)
	}
}

// whileValid returns a context that ends when the user of a request is no longer who he
// was: a stream of events must not outlive the session that it was opened with.
func (a *Access) whileValid(r *http.Request, user User) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	if user.Via == ViaLoopback || user.Via == ViaProxy {
		return ctx, cancel
	}
	again := r.Clone(ctx)
	var timer *time.Timer
	timer = time.AfterFunc(math.MaxInt64, func() {
		now, err := a.identify(again)
		if ctx.Err() != nil {
			return
		}
		gone := errors.Is(err, errNobody) || errors.Is(err, errToken)
		if gone || err == nil && now != user {
			cancel()
			return
		}
		timer.Reset(a.recheck)
	})
	timer.Reset(a.recheck)
	return ctx, func() { timer.Stop(); cancel() }
}

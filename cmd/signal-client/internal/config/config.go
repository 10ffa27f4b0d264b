package config

import (
	"cmp"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/embedded"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/source"
)

//go:generate go test ../.. -run ^TestReadmeConfiguration$ -update

// Config is the whole configuration, in documented order. Each section is read
// separately, so that a command never fails because of a variable that it doesn't use.
//
// Tags: envconfig is the variable, default its default, desc the text of documentation
// and flag help.
type Config struct {
	NATS    NATS
	Server  Server
	Stream  Stream
	Process Process
	Network Network
	Secrets Secrets
	Okta    Okta
	Console Console
	Token   ConsoleToken
	Search  Search
	Log     Log
}

// Sections returns pointers to the sections.
func (c *Config) Sections() []section {
	return []section{&c.NATS, &c.Server, &c.Stream, &c.Process, &c.Network, &c.Secrets, &c.Okta, &c.Console, &c.Token, &c.Search, &c.Log}
}

// NATS is the connection to NATS, with the nats command's variables.
type NATS struct {
	URL string `envconfig:"NATS_URL" desc:"NATS servers, comma separated; empty: an embedded server"`
	// A secret, because as in the nats command a user without a password is a token.
	User     pipeline.Secret `envconfig:"NATS_USER" desc:"user; without NATS_PASSWORD: a token"`
	Password pipeline.Secret `envconfig:"NATS_PASSWORD" desc:"the user's password, which may hold any character here"`
	Token    pipeline.Secret `envconfig:"NATS_TOKEN" desc:"token"`
	Creds    string          `envconfig:"NATS_CREDS" desc:"credentials file"`
	NKey     string          `envconfig:"NATS_NKEY" desc:"file of the seed of a user NKEY"`
	CA       string          `envconfig:"NATS_CA" desc:"file of the certificate authority to trust"`
	Cert     string          `envconfig:"NATS_CERT" desc:"client certificate file"`
	Key      string          `envconfig:"NATS_KEY" desc:"client key file"`
	Domain   string          `envconfig:"NATS_JS_DOMAIN" desc:"JetStream domain of the stream and the buckets, such as that of a leaf node; default: the context's, or else the server's own"`
	Context  string          `envconfig:"NATS_CONTEXT" desc:"a context of the nats command, by name or path; only followed when set here"`
}

// Embedded reports whether the embedded server is used.
func (c NATS) Embedded() bool { return c.URL == "" && c.Context == "" }

// Server configures the embedded server.
type Server struct {
	Listen   string          `envconfig:"SIGNAL_CLIENT_NATS_LISTEN" default:"127.0.0.1:4222" desc:"where the embedded server listens"`
	User     string          `envconfig:"SIGNAL_CLIENT_NATS_USER" desc:"user of the embedded server, with a password of your own; needed when it listens on another address than loopback"`
	Password pipeline.Secret `envconfig:"SIGNAL_CLIENT_NATS_PASSWORD" desc:"the user's password; default: the server makes one and keeps it in <data dir>/nats-context.json; none, without a user: it asks for no password, on loopback only"`
	Sync     syncEvery       `envconfig:"SIGNAL_CLIENT_NATS_SYNC" default:"always" desc:"when the embedded server syncs to disk: 'always' (a power loss costs nothing that was acknowledged) or an interval"`
	DataDir  string          `envconfig:"SIGNAL_CLIENT_DATA_DIR" default:"data" desc:"directory of the embedded server's store; one process at a time"`
}

// noPassword, as the password of no user, is a server that asks for none.
const noPassword = "none"

// NoPassword reports whether the server asks for no password.
func (c Server) NoPassword() bool { return c.User == "" && c.Password.Reveal() == noPassword }

// ContextPath returns the file with which clients on this machine connect, a context of
// the nats command; empty: the server makes no password of its own.
func (c Server) ContextPath() string {
	if !c.Password.IsZero() {
		return ""
	}
	dir, _ := filepath.Abs(c.DataDir)
	return filepath.Join(dir, embedded.ContextName)
}

// Watch returns how to watch events with the nats command.
func (c Server) Watch() string {
	const watch = " sub 'signals.okta.*'"
	switch path := c.ContextPath(); {
	case path == "":
		return "nats --server nats://" + Reachable(c.Listen) + watch
	case strings.ContainsRune(path, ' '):
		return "nats --context '" + path + "'" + watch
	default:
		return "nats --context " + path + watch
	}
}

// Stream configures the stream and the buckets.
type Stream struct {
	Replicas int      `envconfig:"SIGNAL_CLIENT_NATS_REPLICAS" default:"1" desc:"copies of the stream and the buckets"`
	MaxBytes byteSize `envconfig:"SIGNAL_CLIENT_STREAM_MAX_BYTES" default:"0" desc:"size at which the stream drops its oldest events, such as 200GiB; 0: no limit of its own"`
	MaxAge   Duration `envconfig:"SIGNAL_CLIENT_STREAM_MAX_AGE" default:"90d" desc:"age at which the stream drops events; 0: never"`
}

// Ever stands for a stream without a maximum age.
const Ever = 100 * 365 * 24 * time.Hour

// Asked returns the configuration for package jets.
func (c Stream) Asked() jets.Config {
	return jets.Config{Kinds: kinds.All.Plain(), Replicas: c.Replicas, MaxBytes: int64(c.MaxBytes), MaxAge: cmp.Or(time.Duration(c.MaxAge), Ever)}
}

// Process configures this process.
type Process struct {
	HTTPAddr       string   `envconfig:"SIGNAL_CLIENT_HTTP_ADDR" default:"127.0.0.1:8000" desc:"where the console, /healthz, /readyz and /metrics are served"`
	MetricsAddr    string   `envconfig:"SIGNAL_CLIENT_METRICS_ADDR" desc:"where /healthz, /readyz and /metrics are served instead, without TLS; default: at SIGNAL_CLIENT_HTTP_ADDR"`
	TLSCert        string   `envconfig:"SIGNAL_CLIENT_TLS_CERT" desc:"certificate file with which SIGNAL_CLIENT_HTTP_ADDR speaks TLS; read again when it changes"`
	TLSKey         string   `envconfig:"SIGNAL_CLIENT_TLS_KEY" desc:"file of the certificate's key"`
	Replica        string   `envconfig:"SIGNAL_CLIENT_REPLICA" desc:"name of this process in locks and logs; default: host name and a random part"`
	SessionTTL     Duration `envconfig:"SIGNAL_CLIENT_SESSION_TTL" default:"10s" desc:"time without a sign of life after which other replicas take over this one's instances; whole seconds, at least 2"`
	RequestTimeout Duration `envconfig:"SIGNAL_CLIENT_OKTA_REQUEST_TIMEOUT" default:"60s" desc:"longest time for one request to Okta, its body included"`
	MaxInFlight    int      `envconfig:"SIGNAL_CLIENT_MAX_IN_FLIGHT" default:"256" desc:"most requests to Okta at a time, of all instances together"`
	PageMemory     byteSize `envconfig:"SIGNAL_CLIENT_PAGE_MEMORY" default:"256MiB" desc:"most bytes of pages in memory, of all instances together; at least 128MiB"`
	SilentAfter    Duration `envconfig:"SIGNAL_CLIENT_SILENT_AFTER" default:"0s" desc:"report an org as silent, once, after this long without an event; 0s: never"`
	AuditEvery     Duration `envconfig:"SIGNAL_CLIENT_AUDIT_EVERY" default:"0s" desc:"how often to audit each org's hour before the last one, best 1h; 0s: never"`
}

// Network is how orgs are reached, beside HTTPS_PROXY and NO_PROXY.
type Network struct {
	CAFile       string `envconfig:"SIGNAL_CLIENT_CA_FILE" desc:"file of further certificate authorities to trust in requests to Okta (PEM), such as that of a proxy that opens TLS"`
	AllowPrivate yes    `envconfig:"SIGNAL_CLIENT_ALLOW_PRIVATE" default:"0" desc:"1: the host name of an org may stand for a private address; otherwise such requests are refused"`
}

// Source returns what makes the HTTP clients.
func (c Network) Source() *source.Network {
	return &source.Network{CAFile: c.CAFile, AllowPrivate: bool(c.AllowPrivate)}
}

// Okta configures one instance from the environment.
type Okta struct {
	Instance     string          `envconfig:"OKTA_INSTANCE" desc:"name of the instance that the OKTA_ variables configure; default: the first label of the fqdn, or else of the base URL"`
	FQDN         string          `envconfig:"OKTA_FQDN" desc:"the org's host name, such as acme.okta.com"`
	BaseURL      string          `envconfig:"OKTA_BASE_URL" desc:"used instead of OKTA_FQDN; plain http for loopback hosts only"`
	APIToken     pipeline.Secret `envconfig:"OKTA_API_TOKEN" desc:"API token of a read-only admin"`
	APITokenFile string          `envconfig:"OKTA_API_TOKEN_FILE" desc:"file that holds the API token"`
	ClientID     string          `envconfig:"OKTA_CLIENT_ID" desc:"Client ID of a service app (OAuth 2.0), instead of an API token"`
	KeyID        string          `envconfig:"OKTA_KEY_ID" desc:"id (kid) of the service app's key"`
	KeyFile      string          `envconfig:"OKTA_PRIVATE_KEY_FILE" desc:"file that holds the service app's private key (PEM or JWK)"`
	PollInterval string          `envconfig:"OKTA_POLL_INTERVAL" default:"5m" desc:"time between polls; at least 1s"`
	Since        string          `envconfig:"OKTA_SINCE" default:"24h" desc:"where the first start begins: an age such as 24h or 7d, or a time such as 2026-11-20 or in RFC 3339; Okta keeps 90 days"`
	Filter       string          `envconfig:"OKTA_FILTER" desc:"filter expression of the System Log API; empty: everything"`
}

// Search configures the search index.
type Search struct {
	Where        string   `envconfig:"SIGNAL_CLIENT_SEARCH" desc:"where events are indexed for search: embedded (a child process, store in <data dir>/search), off, or the URL of a VictoriaLogs; default: embedded where there is a console, else off"`
	User         string   `envconfig:"SIGNAL_CLIENT_SEARCH_USER" desc:"user of that VictoriaLogs"`
	PasswordFile string   `envconfig:"SIGNAL_CLIENT_SEARCH_PASSWORD_FILE" desc:"file that holds the user's password"`
	Memory       byteSize `envconfig:"SIGNAL_CLIENT_SEARCH_MEMORY" default:"256MiB" desc:"bound of the embedded index's caches"`
	Retention    Duration `envconfig:"SIGNAL_CLIENT_SEARCH_RETENTION" default:"90d" desc:"how far back events can be searched, by the time that they happened"`
}

// Log configures the log.
type Log struct {
	Format logFormat `envconfig:"SIGNAL_CLIENT_LOG_FORMAT" default:"console" desc:"console or json"`
	Level  logLevel  `envconfig:"SIGNAL_CLIENT_LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
}

// Logger returns the configured logger.
func (c Log) Logger(to term.Screen) *slog.Logger {
	if c.Format == logJSON {
		return slog.New(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: c.Level}))
	}
	return slog.New(term.NewConsoleHandler(to, c.Level))
}

// DefaultListen and DefaultDataDir are the defaults of the embedded server.
const (
	DefaultListen  = "127.0.0.1:4222"
	DefaultDataDir = "data"
)

package pipeline

import (
	"cmp"
	"time"

	"github.com/witfoo/signal-client/schemas"
)

// Integration is the configuration of one instance, read from INTEGRATIONS or the
// environment, checked and with defaults filled in.
type Integration struct {
	Kind         *Kind
	Instance     string
	Name         string // display name
	Enabled      bool
	Origin       string        // where requests go: https://acme.okta.com
	Source       string        // https:// and the fqdn, for ce-source; Origin when there is only a base_url
	PollInterval time.Duration // default 5 min, least 1 s
	Since        Since         // where a fresh start begins; default 24 h ago
	Filter       string        // Okta's filter expression; empty: everything
	Limit        int           // elements a page, 1 to 999; default 999
	RateShare    float64       // of the org's limit, above 0, at most 1; default 0.5
	AnotherOrg   string        // settings.another_org: this origin is confirmed to be another org than before; empty: none
	Static       bool          // from the environment: it can't be changed in INTEGRATIONS
	LinkHosts    []string      // further hosts that a next link may name
	Proxy        string        // URL of the proxy to the org, without a password; empty: the environment's, if any
	CAFile       string        // PEM file of further authorities to trust, read at each start of the instance's poller
	Token        Secret        // API token; empty when TokenFile or TokenEnv is set
	TokenFile    string        // read at each start of the instance's poller
	TokenNext    Secret        // API token that replaces Token once it has worked; zero: none; only beside Token
	TokenEnv     string        // the service's environment variable that holds the token

	// Sealed is why the credential, which is sealed, can't be opened here; empty: it is not
	// sealed, or it was opened.
	Sealed   string
	FilesDir string // the credential's file is read below it only; empty: anywhere

	// Of an OAuth service app, instead of a token:
	ClientID       string // empty: there is none
	KeyID          string
	PrivateKey     Secret // empty when PrivateKeyFile is set
	PrivateKeyFile string // read at each start of the instance's poller

	ProxyPassword Secret // of Proxy's user; empty: it has none
}

// CredentialFile returns the file that holds the credential; empty: none does.
func (i Integration) CredentialFile() string { return cmp.Or(i.TokenFile, i.PrivateKeyFile) }

// Since is the start of a fresh start: an age, or a moment.
type Since struct {
	Age    time.Duration // before now; used when Moment is zero
	Moment time.Time
}

// At resolves a Since, clamped to the retention of a kind's orgs. A time in the future
// becomes now: no position may claim completeness up to a time to come.
func (s Since) At(now time.Time, k *Kind) time.Time { return k.Clamp(s.Asked(now), now) }

// Asked is At without the clamping.
func (s Since) Asked(now time.Time) time.Time {
	return Earlier(cmp.Or(s.Moment, now.Add(-s.Age)), now)
}

// ConfigError lists everything that is wrong with an integration, in one line: each
// field, what is wrong with it, and what to write. It matches ErrConfig.
type ConfigError struct{ Complaints []schemas.Complaint }

func (e *ConfigError) Error() string { return (&schemas.Error{Complaints: e.Complaints}).Error() }

// Is reports whether target is ErrConfig.
func (e *ConfigError) Is(target error) bool { return target == ErrConfig }

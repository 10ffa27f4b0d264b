package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// State is an instance's state in a word, the same in logs, STATUS, commands and console.
type State string

const (
	StateNew        State = "new"                 // not polled yet
	StatePolling    State = "polling"             // at the head of the log
	StateCatchingUp State = "catching up"         // more is waiting
	StateThrottled  State = "throttled"           // out of budget
	StateRetrying   State = "retrying"            // a temporary failure of the org or of NATS
	StateRefused    State = "credential refused"  // 401 or 403
	StateConfig     State = "configuration error" // can't work as configured
	StateUnowned    State = "unowned"             // no replica holds it
	StateDisabled   State = "disabled"
)

// States returns all states, worst first.
func States() []State {
	return []State{StateRefused, StateConfig, StateUnowned, StateRetrying, StateThrottled, StateCatchingUp, StateNew, StatePolling, StateDisabled}
}

// Severity orders states: the higher, the worse; 0: an unknown one.
func (s State) Severity() int {
	all := States()
	if i := slices.Index(all, s); i >= 0 {
		return len(all) - i
	}
	return 0
}

// Status is an instance's status, as the bucket STATUS holds it.
type Status struct {
	Kind            *Kind           `json:"-"` // of the instance
	Version         int             `json:"version"`
	Instance        string          `json:"instance"`
	State           State           `json:"state"`
	StateSince      time.Time       `json:"state_since,omitzero"`      // when the state began; zero: not known
	Holder          string          `json:"holder"`                    // the replica that polls it
	LastPoll        time.Time       `json:"last_poll,omitzero"`        // when a request was last answered, successfully or not
	LastSuccess     time.Time       `json:"last_success,omitzero"`     // when a page was last committed or found empty
	NextPoll        time.Time       `json:"next_poll,omitzero"`        // after UpdatedAt; throttled: when the budget allows it; zero: at once, or not known
	TokenUsedAt     time.Time       `json:"token_used_at,omitzero"`    // when the org last accepted the API token; disabled: or when another one was set since; zero: not known, or a service app
	CompleteThrough time.Time       `json:"complete_through,omitzero"` // the watermark
	LagSeconds      float64         `json:"lag_seconds"`               // age of the watermark at writing; 0: no watermark
	LastEvent       *LastEvent      `json:"last_event,omitempty"`
	Events          uint64          `json:"events"` // events stored since the status began, by all holders
	RateLimit       *RateLimit      `json:"rate_limit,omitempty"`
	Breaker         string          `json:"breaker"`                   // closed, open or half-open
	LastError       string          `json:"last_error,omitempty"`      // in words; empty after a success
	Next            *NextCredential `json:"next_credential,omitempty"` // the credential to change to; nil: none waits
	Audit           *Audited        `json:"audit,omitempty"`           // the newest standing audit
	Gap             *Gap            `json:"gap,omitempty"`             // as in the position
	Assumed         string          `json:"assumed,omitempty"`         // as in the position
	Untimed         bool            `json:"untimed,omitempty"`         // the org's answers have no Date: only events move the watermark
	UpdatedAt       time.Time       `json:"updated_at,omitzero"`       // zero: never written

	// Environment is the instance's configuration by its holder's environment, as a value
	// of INTEGRATIONS without a token; empty: it is in INTEGRATIONS.
	Environment json.RawMessage `json:"environment,omitempty"`
}

// Audited is the result of a standing audit.
type Audited struct {
	At       time.Time `json:"at"`
	Since    time.Time `json:"since"` // published at or after
	Until    time.Time `json:"until"` // end of the span, excluded
	Both     int       `json:"both"`
	Missing  int       `json:"missing"`
	Twice    int       `json:"twice"`
	HereOnly int       `json:"here_only"`
}

// Differences returns the number of differences found.
func (a Audited) Differences() int { return a.Missing + a.Twice + a.HereOnly }

// TokenWarning is how long before the vendor deletes an unused API token it is warned of.
const TokenWarning = 5 * 24 * time.Hour

// TokenIdle returns for how long the API token of a disabled instance is unused, if the vendor
// will soon delete it for that, or has; else 0.
func (s Status) TokenIdle(now time.Time) time.Duration {
	if s.State != StateDisabled || s.TokenUsedAt.IsZero() || s.Kind == nil || s.Kind.TokenIdle == 0 {
		return 0
	}
	if idle := now.Sub(s.TokenUsedAt); idle >= s.Kind.TokenIdle-TokenWarning {
		return idle
	}
	return 0
}

// NextCredential is a credential that was tried beside the current one and is not in place yet.
type NextCredential struct {
	From    string    `json:"from"`              // credentials.api_token_next, or the file
	Error   string    `json:"error"`             // why, in words
	NextTry time.Time `json:"next_try,omitzero"` // zero: not known
}

// RateLimit is an org's budget by its last answer.
type RateLimit struct {
	Limit     int       `json:"limit"` // requests per window
	Remaining int       `json:"remaining"`
	Reset     time.Time `json:"reset"`         // when the window ends, by the org's clock
	Cap       *Cap      `json:"cap,omitempty"` // of the credential; nil: none is known
}

// Cap is the part of an org's limit that one credential may use, as a refusal has shown it.
type Cap struct {
	Requests int       `json:"requests"` // per window
	Of       int       `json:"of"`       // the org's limit
	Since    time.Time `json:"since"`    // when it was learned, or last confirmed
}

// String returns the cap in words.
func (c Cap) String() string {
	return fmt.Sprintf("%d of %d requests a minute: this token's cap", c.Requests, c.Of)
}

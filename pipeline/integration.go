package pipeline

import "time"

// Integration is the configuration of one instance, read from INTEGRATIONS or the
// environment, checked and with defaults filled in.
type Integration struct {
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
	Token        Secret        // API token; empty when TokenFile is set
	TokenFile    string        // read at each start of the instance's poller
}

// Since is the start of a fresh start: an age, or a moment.
type Since struct {
	Age    time.Duration // before now; used when Moment is zero
	Moment time.Time
}

// Retention is how long Okta keeps its log; older requests are clamped to it. Source:
// Okta's System Log reference (90 days), read 2026-08-21.
const Retention = 90 * 24 * time.Hour

// At resolves a Since, clamped to a minute less than the org's retention, so that the
// request is not too old when it arrives. A time in the future becomes now: no position
// may claim completeness up to a time to come.
func (s Since) At(now time.Time) time.Time { return Clamp(s.Asked(now), now) }

// Asked is At without the clamping.
func (s Since) Asked(now time.Time) time.Time {
	at := s.Moment
	if at.IsZero() {
		at = now.Add(-s.Age)
	}
	if at.After(now) {
		return now
	}
	return at
}

// Clamp moves a time beyond the org's retention to its edge.
func Clamp(at, now time.Time) time.Time {
	if edge := now.Add(-Retention + time.Minute); at.Before(edge) {
		return edge.UTC()
	}
	return at.UTC()
}

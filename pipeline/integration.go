package pipeline

import "time"

// Integration is the configuration of one instance, read from INTEGRATIONS or
// from the environment, with its defaults filled in and everything checked.
type Integration struct {
	Instance     string
	Name         string // for people
	Enabled      bool
	Origin       string        // where it is asked: https://acme.okta.com
	Source       string        // whose events they are: https:// and the fqdn; Origin when there is only a base_url
	PollInterval time.Duration // default 5 min, least 1 s
	Since        Since         // where a fresh start begins; default 24 h ago
	Filter       string        // Okta's filter expression; empty: everything
	Limit        int           // elements a page, 1 to 999; default 999
	RateShare    float64       // of the org's limit, above 0, at most 1; default 0.5
	AnotherOrg   string        // the origin of which the operator says that it is another org than before; empty: none
	Static       bool          // it is not in INTEGRATIONS, where it could be changed
	LinkHosts    []string      // further hosts that a next link may name
	Token        Secret        // API token; empty when TokenFile is set
	TokenFile    string        // read at each start of the instance's poller
}

// Since is where a fresh start begins: an age, or a moment.
type Since struct {
	Age    time.Duration // before now; used when Moment is zero
	Moment time.Time
}

// Retention is how long Okta keeps its log; asking for older is clamped.
// Source: Okta's System Log reference (90 days), read 2026-08-21.
const Retention = 90 * 24 * time.Hour

// At resolves a Since, clamped to the org's retention. A minute is kept clear of
// its edge, so that the request is not too old by the time it arrives. What lies
// ahead is now: no position may claim that all is stored up to a time to come.
func (s Since) At(now time.Time) time.Time { return Clamp(s.Asked(now), now) }

// Asked is At, but not clamped to the org's retention.
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

// Clamp moves a time that is older than the org's retention to its edge.
func Clamp(at, now time.Time) time.Time {
	if edge := now.Add(-Retention + time.Minute); at.Before(edge) {
		return edge.UTC()
	}
	return at.UTC()
}

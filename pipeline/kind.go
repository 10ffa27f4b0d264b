package pipeline

import (
	"fmt"
	"time"
)

// Kind is a kind of source: everything in which one vendor's log differs from another's.
// The kinds are values in one slice of package main, and nothing else outside of their
// own packages names one. A Kind must not change.
type Kind struct {
	Name  string // in subjects, keys and log lines, such as okta
	Title string // for people, such as Okta

	Members    Members       // by which an event is known
	TypePrefix string        // turns an event's type into a CloudEvents type, such as com.okta.
	Retention  time.Duration // how long an org keeps its log
	// Lateness is how long after its publication an event may be persisted. A reopened
	// query begins that much before published_max. An event that is later still may be
	// missed or doubled when a reopening falls in between.
	Lateness time.Duration

	// Parse reads a value of INTEGRATIONS, checks it and fills in the defaults. Its error
	// is a *ConfigError, which shows nothing of the credentials.
	Parse func(instance string, value []byte) (Integration, error)

	// Start returns the request for everything that the org persisted at or after since,
	// in the order of persistence.
	Start func(i Integration, since time.Time) Link
	// Window returns the requests for the past of the same query.
	Window func(i Integration) Window
	// Query returns a hash of what the links of an integration request, apart from their
	// place: a changed one needs a new query.
	Query func(i Integration) string
}

// Members are the names of the members of an event by which it is known.
type Members struct {
	ID        string // its id, such as uuid
	Type      string // such as eventType
	Published string // when it happened, in RFC 3339
}

// Read parses a value of INTEGRATIONS.
func (k *Kind) Read(instance string, value []byte) (Integration, error) {
	i, err := k.Parse(instance, value)
	i.Kind = k
	return i, err
}

// Clamp moves a time beyond the org's retention to a minute within its edge, so that a
// request is not too old when it arrives.
func (k *Kind) Clamp(at, now time.Time) time.Time {
	if edge := now.Add(-k.Retention + time.Minute); at.Before(edge) {
		return edge.UTC()
	}
	return at.UTC()
}

// Keeps says how long an org keeps its log, for people.
func (k *Kind) Keeps() string {
	return fmt.Sprintf("%s keeps %d days", k.Title, int(k.Retention.Hours()/24))
}

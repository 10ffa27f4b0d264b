package pipeline

import (
	"context"
	"fmt"
	"time"
)

// Kind is a kind of source: everything in which one vendor's log differs from another's.
// The program's package kinds lists them. Besides it and their own packages, only what
// reads the environment names one. A Kind must not change.
type Kind struct {
	Name  string // in subjects, keys and log lines, such as okta
	Title string // display name, such as Okta

	Members    Members       // by which an event is known
	TypePrefix string        // makes a CloudEvents type of an event's type, such as com.okta.
	Retention  time.Duration // how long an org keeps its log
	// Lateness is how long after its publication an event may be persisted. A reopened
	// query begins that much before published_max. An event persisted later may be missed
	// or doubled when a reopening falls in between.
	Lateness time.Duration

	// TokenIdle is how long an API token may be unused before the vendor deletes it; 0: for ever.
	TokenIdle time.Duration

	// Parse reads a value of INTEGRATIONS, checks it and fills in the defaults. A sealed
	// credential is not opened: see Integration.Sealed. Its error is a *ConfigError, which
	// shows nothing of the credentials.
	Parse func(instance string, value []byte) (Integration, error)
	// Fields are the members of such a value; the command line follows them.
	Fields []Field
	// Clean returns the origin of an org in what people paste as its host name: a URL with
	// a path, in any case, or the address of another page of the vendor.
	Clean func(pasted string) (origin string, err error)

	// Credential returns the instance's credential, from its file if it names one. If there is
	// none to read in time, the error matches ErrConfig, or is ctx's cause.
	Credential func(ctx context.Context, i Integration) (Credential, error)

	// Element reads one element of a page, such as a dead letter. One that can't be
	// published has a Flaw; data that is no JSON gives an error.
	Element func(data []byte) (Event, error)

	Facets  Facets
	Reading Reading

	// Start returns the request for all that the org persisted since a time, in that order.
	Start func(i Integration, since time.Time) Link
	// Window returns the same query's requests for the past.
	Window func(i Integration) Window
	// Adopt returns the link with which an integration continues where another program
	// stopped, of the next link that the program kept, and the time since which that one
	// asks; zero: it says none. nil: links of this kind are of no use to others.
	Adopt func(i Integration, kept string) (link Link, since time.Time, err error)
	// Query returns a hash of what an integration's links request, apart from their
	// place: a changed hash needs a new query.
	Query func(i Integration) string
	// PageSize returns how many elements a link requests at most, always above 0.
	PageSize func(link Link) int
}

// Members are the names of the members of an event by which it is known.
type Members struct {
	ID        string // its id, such as uuid
	Type      string // such as eventType
	Published string // when it happened, in RFC 3339
	Message   string // what happened, in a few words for people, such as displayMessage
}

// Facets read from an event what people look for. Each returns nothing if the event has no
// such member, or one of another type.
type Facets struct {
	Actor   func(data []byte) []string // all names of who did it
	Address func(data []byte) string   // the IP address that it came from
	Outcome func(data []byte) string
}

// Read parses a value of INTEGRATIONS.
func (k *Kind) Read(instance string, value []byte) (Integration, error) {
	value, _ = k.Place(value)
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

// Keeps says how long an org keeps its log, in words.
func (k *Kind) Keeps() string {
	return fmt.Sprintf("%s keeps %d days", k.Title, int(k.Retention.Hours()/24))
}

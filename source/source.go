// Package source defines a kind of source as the program uses it: a pipeline.Kind and the
// HTTP client of its orgs, which package pipeline does not know.
//
// Packages limiter, page and breaker are shared by all kinds; each kind has a package of
// its own. Start reading at [Kind].
package source

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source/limiter"
)

// Kind is a pipeline.Kind whose orgs can be asked.
type Kind struct {
	*pipeline.Kind

	// Open returns a client of an instance's org. It sends nothing before it is asked.
	Open func(i pipeline.Integration, c pipeline.Credential, o Options) Client
	// Probe tries a credential by one request, for the newest event published since a
	// time, and stores nothing. nil without an error: there is none.
	Probe func(ctx context.Context, i pipeline.Integration, c pipeline.Credential, since, until time.Time, o Options) (*pipeline.Event, error)
	// Explain returns what an error of Open's clients, of Probe or of Credential means. The
	// zero Verdict: the kind knows no more than the error says. nil: it never does.
	Explain func(err error) Verdict
}

// Client returns what Open does. Its errors are known to be of this kind: see Explain.
func (k Kind) Client(i pipeline.Integration, c pipeline.Credential, o Options) Client {
	return client{k.Open(i, c, o), k}
}

// client marks its errors.
type client struct {
	Client
	kind Kind
}

func (c client) Poll(ctx context.Context, link pipeline.Link) (pipeline.Page, error) {
	p, err := c.Client.Poll(ctx, link)
	return p, c.kind.Mark(err)
}

func (c client) Organization(ctx context.Context) (string, error) {
	id, err := c.Client.Organization(ctx)
	return id, c.kind.Mark(err)
}

// Mark returns an error as one of this kind; nil: nil.
func (k Kind) Mark(err error) error {
	if err == nil {
		return nil
	}
	return &marked{err, k}
}

type marked struct {
	error
	kind Kind
}

func (m *marked) Unwrap() error { return m.error }

// Explain returns what an error means to its kind; the zero Verdict: it is of no kind, or
// the kind knows no more than it says.
func Explain(err error) Verdict {
	m, ok := errors.AsType[*marked](err)
	if !ok || m.kind.Explain == nil {
		return Verdict{}
	}
	return m.kind.Explain(err)
}

// Verdict is what an error of a source means to an operator.
type Verdict struct {
	Meaning string // with what becomes of it; empty: not known
	Remedy  string // what to do; <name> stands for the instance; empty: nothing in particular
	Answer  string // the org's answer, without the acts that led to it; empty: there was none
	Status  int    // HTTP status of the answer; 0: there was none
}

// Errors of a Client, besides those of pipeline.Source.
var (
	// ErrLate is the cause of a request that took too long. It matches no context error,
	// because the caller's context has not ended.
	ErrLate = errors.New("no whole answer in time")
	// ErrNoPage is the error of an answer of status 200 that is no list of events.
	ErrNoPage = errors.New("status 200 without a page")
	// ErrLinkHost is the error of a next link that names a host which is neither the org's
	// nor one of Integration.LinkHosts.
	ErrLinkHost = errors.New("neither the org's nor in settings.link_hosts")
)

// Client asks an org.
type Client interface {
	pipeline.Source
	// Organization returns the org's own id, which is the same for all of its host names.
	// It may run concurrently with Poll.
	Organization(ctx context.Context) (string, error)
}

// Options are what a Client shares with others, by default nothing, and its place among them.
type Options struct {
	HTTP    *http.Client     // nil: the client's own
	Timeout time.Duration    // of one request; 0: 60 s
	Limiter *limiter.Limiter // of the org; nil: the client's own
	Share   float64          // of the org's limit, above 0, at most 1; 0: 0.5
	Session *Session         // of the credential at this org; nil: the client\'s own

	InFlight *pipeline.Gate // the process's requests; nil: no bound
	Memory   *pipeline.Gate // the process's bytes of pages; nil: no bound
	Later    bool           // its requests are not urgent: they are for the past

	Trace     *pipeline.Trace // nil: none
	UserAgent string
}

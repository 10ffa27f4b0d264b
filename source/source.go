// Package source joins what a kind of source is to how its orgs are asked, which package
// pipeline can't say, since it knows no HTTP. The packages below it have what several
// kinds share (limiter, page, breaker), and one package for each kind.
package source

import (
	"context"
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
}

// Client asks an org.
type Client interface {
	pipeline.Source
	// Organization returns the org's own id, which is the same for all of its host names.
	// It may run concurrently with Poll.
	Organization(ctx context.Context) (string, error)
}

// Options are what a Client shares with others, and its place among them. The zero value
// shares nothing.
type Options struct {
	HTTP    *http.Client     // nil: the client's own
	Timeout time.Duration    // of one request; 0: 60 s
	Limiter *limiter.Limiter // of the org; nil: the client's own
	Share   float64          // of the org's limit, above 0, at most 1; 0: 0.5

	InFlight *pipeline.Gate // the process's requests; nil: no bound
	Memory   *pipeline.Gate // the process's bytes of pages; nil: no bound
	Later    bool           // its requests are not urgent: they are for the past

	Trace     *pipeline.Trace // nil: none
	UserAgent string
}

package okta

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// Source is Kind with how its orgs are asked.
var Source = source.Kind{Kind: Kind, Open: open, Probe: probe, Explain: explain}

func open(i pipeline.Integration, c pipeline.Credential, o source.Options) source.Client {
	return &Client{
		Instance: i.Instance, Origin: i.Origin, Credential: c, Session: o.Session, LinkHosts: i.LinkHosts, Limit: i.Limit, Interval: i.PollInterval,
		HTTP: o.HTTP, Timeout: o.Timeout, Limiter: o.Limiter, Share: o.Share,
		InFlight: o.InFlight, Memory: o.Memory, Later: o.Later, Trace: o.Trace, UserAgent: o.UserAgent,
	}
}

// probe requests the newest event first: Okta accepts that order only with an until.
func probe(ctx context.Context, i pipeline.Integration, c pipeline.Credential, since, until time.Time, o source.Options) (*pipeline.Event, error) {
	i.Limit = 1
	link := strings.Replace(string(Start(i.Filter, i.Limit, since)), "sortOrder=ASCENDING", "sortOrder=DESCENDING", 1)
	page, err := open(i, c, o).Poll(ctx, pipeline.Link(link+"&until="+url.QueryEscape(until.UTC().Format(time.RFC3339))))
	if err != nil || len(page.Events) == 0 {
		return nil, err
	}
	defer page.Memory.Release()
	return &page.Events[0], nil
}

package okta

import (
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/source"
)

// Source is Kind with how its orgs are asked.
var Source = source.Kind{
	Kind: Kind,
	Open: func(i pipeline.Integration, c pipeline.Credential, o source.Options) source.Client {
		return &Client{
			Instance: i.Instance, Origin: i.Origin, Credential: c, LinkHosts: i.LinkHosts, Limit: i.Limit, Interval: i.PollInterval,
			HTTP: o.HTTP, Timeout: o.Timeout, Limiter: o.Limiter, Share: o.Share,
			InFlight: o.InFlight, Memory: o.Memory, Later: o.Later, Trace: o.Trace, UserAgent: o.UserAgent,
		}
	},
}

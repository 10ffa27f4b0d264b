package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
)

// notifications checks that what happens reaches somebody: the last notification of each
// channel, and that a rule's channels exist.
func (s *surroundings) notifications(ctx context.Context, d *observation) {
	all, _, err := notify.Read(ctx, &buckets.Notifications{Store: jets.Attach(s.conn, kinds.All.Plain()...)})
	if err != nil {
		d.failed(err)
		return
	}
	if len(all.Channels)+len(all.Rules) == 0 {
		d.fact("no channels: nobody is told of what happens")
		return
	}
	names := map[string]bool{}
	for _, c := range all.Channels {
		names[c.Name] = true
		if c.Troubled() && !c.Disabled {
			d.warn(fmt.Sprintf("the last notification to %s, %s: %s: %s", c.Name, term.Relative(c.Last.At, time.Now()), c.Last.Result, c.Last.Why),
				"signal-client notifications test "+c.Name)
		}
	}
	for _, r := range all.Rules {
		for _, name := range r.Channels {
			if !names[name] && !r.Disabled {
				d.warn(fmt.Sprintf("the rule %s sends to %s, which is no channel", r.Name, name), "signal-client notifications rule set "+r.Name+" --channel …")
			}
		}
	}
	d.fact("%s, %s", term.Count(len(all.Channels), "channel"), term.Count(len(all.Rules), "rule"))
}

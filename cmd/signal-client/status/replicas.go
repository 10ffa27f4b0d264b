package status

import (
	"fmt"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/overview"
)

func shareGrid(all []overview.Share) term.Grid {
	g := term.Grid{Title: term.Count(len(all), "replica"), Header: []string{"replica", "orgs", "share", "started", "declines"}}
	for _, s := range all {
		g.Rows = append(g.Rows, []any{s.Replica, s.Orgs, percent(s.Share), s.StartedAt, strings.Join(s.Declines, ",")})
	}
	return g
}

func printShares(out term.Screen, all []overview.Share) error {
	if err := shareGrid(all).Print(out); err != nil {
		return err
	}
	for _, s := range all {
		for _, org := range s.Declines {
			if reason := s.Reasons[org]; reason != "" {
				fmt.Fprintf(out, "%s declines %s: %s\n", s.Replica, org, term.Printable(reason))
			}
		}
	}
	return nil
}

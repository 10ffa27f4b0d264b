package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/locks"
)

// share is what a process that polls has of the orgs.
type share struct {
	Replica   string    `json:"replica"`
	StartedAt time.Time `json:"started_at,omitzero"` // its session, by its own clock
	Orgs      int       `json:"orgs"`                // that it holds
	Share     float64   `json:"share"`               // of all that are held, 0 to 1
	Declines  []string  `json:"declines"`            // orgs that it can't poll

	Reasons map[string]string `json:"reasons,omitempty"` // by org: why
}

// shares are those of the replicas that live, by name.
func shares(r locks.Replicas) []share {
	all, sum := []share{}, 0
	for _, replica := range slices.Sorted(maps.Keys(r.Sessions)) {
		session := r.Sessions[replica]
		s := share{
			Replica: replica, StartedAt: session.StartedAt.UTC(),
			Orgs: len(r.HeldBy(replica)), Declines: append([]string{}, session.Declines...), Reasons: session.Reasons,
		}
		sum += s.Orgs
		all = append(all, s)
	}
	for i := range all {
		if sum > 0 {
			all[i].Share = float64(all[i].Orgs) / float64(sum)
		}
	}
	return all
}

func shareGrid(all []share) term.Grid {
	g := term.Grid{Title: term.Count(len(all), "replica"), Header: []string{"replica", "orgs", "share", "started", "declines"}}
	for _, s := range all {
		g.Rows = append(g.Rows, []any{s.Replica, s.Orgs, percent(s.Share), s.StartedAt, strings.Join(s.Declines, ",")})
	}
	return g
}

// printShares shows the replicas, and below them why orgs are declined.
func printShares(out term.Screen, all []share) error {
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

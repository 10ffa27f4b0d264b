package overview

import (
	"maps"
	"slices"
	"time"

	"github.com/witfoo/signal-client/sink/locks"
)

// Share is a process's share of the orgs.
type Share struct {
	Replica   string    `json:"replica"`
	StartedAt time.Time `json:"started_at,omitzero"` // of its session, by its own clock
	Orgs      int       `json:"orgs"`                // that it holds
	Share     float64   `json:"share"`               // of all held orgs, 0 to 1
	Declines  []string  `json:"declines"`            // orgs that it can't poll

	Reasons map[string]string `json:"reasons,omitempty"` // why, by org
}

// Shares returns the live replicas' shares, by name.
func Shares(r locks.Replicas) []Share {
	all, sum := []Share{}, 0
	for _, replica := range slices.Sorted(maps.Keys(r.Sessions)) {
		session := r.Sessions[replica]
		s := Share{
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

package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
)

// remedyOf returns what to do about a state that does not pass by itself; empty: nothing.
func remedyOf(s pipeline.Status) string {
	_, static := orgs.FromStatus(s)
	notice := orgs.CredentialNotice(s)
	switch {
	case s.State == pipeline.StateRefused && static:
		return "Put a new token where the service's OKTA_API_TOKEN_FILE or OKTA_API_TOKEN has it."
	case s.State == pipeline.StateRefused:
		return "Create a new API token in Okta (Security > API > Tokens; a read-only admin is enough) and save it here."
	case s.State == pipeline.StateConfig && static:
		return "Correct the service's OKTA_ variables, or what they name."
	case s.State == pipeline.StateConfig:
		return "Correct the named field and save."
	case s.State == pipeline.StateUnowned:
		return "Start a process that polls it: signal-client run"
	case s.State == pipeline.StateRetrying && s.LastError != "":
		return "It is retried by itself. If it stays so, run: signal-client doctor --instance " + s.Instance
	case notice != "":
		return strings.ToUpper(notice[:1]) + notice[1:]
	}
	return ""
}

// silentAfter is how long a poll may be overdue without a sign of life from its holder: it
// waits for memory or NATS, or something is stuck.
const silentAfter = 6 * time.Minute

// wakeful returns the status, as retrying if its holder lives but has not polled for long:
// green must not outlast the polls.
func wakeful(s pipeline.Status, now time.Time) pipeline.Status {
	due := s.UpdatedAt
	if s.NextPoll.After(due) {
		due = s.NextPoll
	}
	late := now.Sub(due)
	switch s.State {
	case pipeline.StatePolling, pipeline.StateCatchingUp:
	default:
		return s
	}
	if due.IsZero() || late < silentAfter {
		return s
	}
	s.State, s.StateSince = pipeline.StateRetrying, due.Add(silentAfter)
	s.LastError = fmt.Sprintf("%s, which polls it, has said nothing for %d min: it may be stuck", s.Holder, int(late.Minutes()))
	return s
}

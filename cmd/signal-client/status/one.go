package status

import (
	"fmt"
	"slices"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/cli"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/overview"
)

// notes returns the lines below an org's row: why, what to try, and what may be missing.
func notes(s pipeline.Status) []string {
	var lines []string
	if s.LastError != "" {
		lines = append(lines, s.LastError)
	}
	if try := remedyOf(s); try != "" {
		lines = append(lines, "try: "+try)
	}
	if notice := orgs.CredentialNotice(s); notice != "" {
		lines = append(lines, "credential: "+notice)
	}
	if s.Gap != nil {
		lines = append(lines, "may be missing: "+cli.GapOf(*s.Gap))
	}
	if s.Assumed != "" {
		lines = append(lines, "assumed: "+s.Assumed)
	}
	if s.Untimed {
		lines = append(lines, "watermark: "+untimed)
	}
	return lines
}

// untimed explains why the watermark of a polled org does not move.
const untimed = "only events move it, because the org's answers have no Date; check for a proxy that removes it"

// remedyOf returns what to do about a state that does not pass by itself; empty: nothing.
func remedyOf(s pipeline.Status) string {
	_, static := orgs.FromStatus(s)
	switch {
	case s.State == pipeline.StateRefused && static:
		return "put a new token where the service's OKTA_API_TOKEN_FILE or OKTA_API_TOKEN has it"
	case s.State == pipeline.StateRefused:
		return fmt.Sprintf("signal-client integrations set %s --token-from <file>", s.Instance)
	case s.State == pipeline.StateConfig && static:
		return "correct the service's OKTA_ variables, or what they name; for details: signal-client doctor --instance " + s.Instance
	case s.State == pipeline.StateConfig:
		return fmt.Sprintf("signal-client integrations set %s <field>=<value>; for details: signal-client doctor --instance %s", s.Instance, s.Instance)
	case s.State == pipeline.StateUnowned:
		return "start a process that polls it: signal-client run"
	case s.State == pipeline.StateRetrying && s.LastError != "":
		return "it is retried by itself; if it stays: signal-client doctor --instance " + s.Instance
	}
	return ""
}

// chosen returns the statuses of the given orgs; none given: all.
func chosen(all []pipeline.Status, instances []string) ([]pipeline.Status, error) {
	if len(instances) == 0 {
		return all, nil
	}
	var known []string
	var some []pipeline.Status
	for _, s := range all {
		known = append(known, s.Instance)
		if slices.Contains(instances, s.Instance) {
			some = append(some, s)
		}
	}
	for _, instance := range instances {
		if !slices.Contains(known, instance) {
			p := orgs.NotFound(instance, known)
			p.Hint = "signal-client status"
			return nil, p
		}
	}
	return some, nil
}

func printStatus(out term.Screen, s pipeline.Status, now time.Time) error {
	g := term.Grid{Title: s.Instance, Header: []string{"field", "value"}, Now: now}
	add := func(name string, v any) {
		if at, ok := v.(time.Time); v != "" && !(ok && at.IsZero()) {
			g.Rows = append(g.Rows, []any{name, v})
		}
	}
	add("instance", s.Instance)
	add("state", s.State)
	add("last error", s.LastError)
	add("try", remedyOf(s))
	add("credential", orgs.CredentialNotice(s))
	if s.Gap != nil {
		add("may be missing", cli.GapOf(*s.Gap))
	}
	add("assumed", s.Assumed)
	add("holder", s.Holder)
	add("complete through", s.CompleteThrough)
	if s.Untimed {
		add("watermark", untimed)
	}
	add("last event", overview.LastEvent(s))
	add("events stored", term.Number(s.Events))
	add("last poll", s.LastPoll)
	add("last success", s.LastSuccess)
	add("next poll", s.NextPoll)
	add("requests left", budget(s))
	if s.RateLimit != nil && s.RateLimit.Cap != nil {
		add("credential's cap", s.RateLimit.Cap.String())
	}
	add("breaker", s.Breaker)
	if a := s.Audit; a != nil {
		add("last audit", a.At)
		add("it found", fmt.Sprintf("%s on both sides, %d missing, %d stored twice, %d here only", term.Number(uint64(a.Both)), a.Missing, a.Twice, a.HereOnly))
	}
	if _, static := orgs.FromStatus(s); static {
		add("configured by", "the service's environment")
	}
	add("written", s.UpdatedAt)
	if err := g.Print(out); err != nil || !out.Terminal {
		return err
	}
	_, err := fmt.Fprintln(out, "For details: signal-client doctor --instance "+s.Instance)
	return err
}

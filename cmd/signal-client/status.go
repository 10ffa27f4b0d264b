package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

const statusLong = `Show every org: its state, who polls it, and how far it is complete.

It reads the buckets INTEGRATIONS, STATUS and LOCKS. Without NATS_URL it asks the
embedded server of the signal-client that runs on this machine.

States:
  polling              at the head of the log
  catching up          more is waiting
  throttled            the org's rate limit is used up; goes on by itself
  retrying             a passing failure; goes on by itself
  credential refused   Okta refuses the token
  configuration error  the last error names what is wrong
  unowned              no running process polls it
  disabled             "enabled" is false
  new                  not polled yet

Examples:
  signal-client status
  signal-client status --json | jq '.[] | select(.state != "polling")'`

// statusTime bounds the whole command.
const statusTime = 15 * time.Second

func newStatus(p *program) *cobra.Command {
	var n natsConfig
	var s serverConfig
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every org and how far it is complete",
		Long:  statusLong,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := load(cmd, &n, &s); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), statusTime)
			defer cancel()
			conn, err := visit(ctx, n, s)
			if err != nil {
				return err
			}
			defer conn.Close()
			all, err := readStatuses(ctx, &jets.Store{Conn: conn}, time.Now())
			switch {
			case err != nil:
				return err
			case asJSON:
				return writeJSON(p.Out(), all)
			}
			return printStatuses(p, all)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	addFlags(cmd, &n)
	return cmd
}

// visit connects a command to the NATS that a service works with.
func visit(ctx context.Context, n natsConfig, s serverConfig) (*jets.Conn, error) {
	if !n.Embedded() {
		d, err := n.dialing()
		if err != nil {
			return nil, err
		}
		return d.connect(ctx, slog.New(slog.DiscardHandler))
	}
	conn, err := s.toEmbedded().connect(ctx, slog.New(slog.DiscardHandler))
	if err == nil {
		return conn, nil
	}
	p := explain(err)
	if p.Code == exitUnreachable {
		p.Hint = "start the service (signal-client run), or say where NATS is: NATS_URL=nats://<host>:4222; if the service listens elsewhere: SIGNAL_CLIENT_NATS_LISTEN=<its address>"
	}
	return nil, &p
}

// readStatuses puts together what the buckets say of each instance, by name.
func readStatuses(ctx context.Context, store *jets.Store, now time.Time) ([]pipeline.Status, error) {
	stored, err := store.AllStatuses(ctx)
	entries, err2 := (&jets.Integrations{Store: store}).All(ctx)
	replicas, err3 := store.Replicas(ctx)
	if err := errors.Join(present(err), present(err2), present(err3)); err != nil {
		return nil, err
	}
	each := map[string]pipeline.Status{}
	for _, s := range stored {
		each[s.Instance] = s
	}
	for instance := range entries {
		if _, known := each[instance]; !known {
			each[instance] = pipeline.Status{Version: 1, Instance: instance, State: pipeline.StateNew}
		}
	}
	all := []pipeline.Status{} // [] rather than null
	for _, instance := range slices.Sorted(maps.Keys(each)) {
		s := each[instance]
		if replicas.Held(instance) {
			s.Holder = replicas.Locks[instance].Holder
		}
		entry, stored := entries[instance]
		all = append(all, asOf(now, s, replicas.Sessions[s.Holder].ID != "", stored, entry))
	}
	return all, nil
}

// present takes a bucket that nobody has made yet for an empty one.
func present(err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

// asOf is a status as things stand: what was written may be old, and who wrote
// it gone. (A holder that lives may be without the lock for a moment, between two
// tries to read a token, say.)
func asOf(now time.Time, s pipeline.Status, held, stored bool, entry pipeline.Entry) pipeline.Status {
	if !s.CompleteThrough.IsZero() {
		s.LagSeconds = max(0, now.Sub(s.CompleteThrough).Seconds())
	}
	switch {
	case stored && entry.Err != nil:
		s.State, s.LastError = pipeline.StateConfig, inWords(entry.Err)
	case stored && !entry.Integration.Enabled:
		s.State, s.LastError = pipeline.StateDisabled, ""
	case held:
		return s
	case s.UpdatedAt.IsZero():
		s.State = pipeline.StateNew
	default:
		s.State = pipeline.StateUnowned
	}
	s.Holder, s.NextPoll = "", time.Time{}
	return s
}

func printStatuses(p *program, all []pipeline.Status) error {
	out := p.Out()
	if len(all) == 0 && out.Terminal {
		_, err := fmt.Fprintln(out, "No orgs yet. Add one: "+firstCommand)
		return err
	}
	g := grid{
		Title:  fmt.Sprintf("%d orgs", len(all)),
		Header: []string{"instance", "state", "holder", "lag", "last event", "events", "requests left", "last error"},
	}
	if len(all) == 1 {
		g.Title = "1 org"
	}
	for _, s := range all {
		g.Rows = append(g.Rows, statusRow(s, out.Terminal))
	}
	return g.Print(out)
}

func statusRow(s pipeline.Status, people bool) []any {
	row := []any{s.Instance, s.State, s.Holder, lag(s, people), lastEvent(s), fmt.Sprint(s.Events), budget(s), s.LastError}
	if people {
		row[5] = human(s.Events)
		row[7] = cut(s.LastError, 60)
	}
	return row
}

// lag is the age of the watermark: seconds for programs.
func lag(s pipeline.Status, people bool) string {
	switch {
	case s.CompleteThrough.IsZero() && people:
		return "-"
	case s.CompleteThrough.IsZero():
		return ""
	case people:
		return span(time.Duration(s.LagSeconds * float64(time.Second)))
	}
	return fmt.Sprintf("%.0f", s.LagSeconds)
}

// lastEvent is when the newest event was published: a time, or as the org gave
// it.
func lastEvent(s pipeline.Status) any {
	if s.LastEvent == nil {
		return time.Time{}
	}
	if at, err := time.Parse(time.RFC3339, s.LastEvent.Published); err == nil {
		return at
	}
	return s.LastEvent.Published
}

// budget is what is left of the org's requests. A window that is over says
// nothing.
func budget(s pipeline.Status) string {
	if s.RateLimit == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d", s.RateLimit.Remaining, s.RateLimit.Limit)
}

// cut is the beginning of a text that is too long for a table; --json has all.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/sink/jets"
)

// probe ends the subjects that are tried. No instance, key, consumer or filter matches
// it: signals.okta.* does not match signals.okta.probe.doctor.
const probe = "probe.doctor"

// permits returns what topics.Permissions grants the service.
func permits(c *jets.Conn) []jets.Permission {
	var all []jets.Permission
	publish := func(subject, grant string) { all = append(all, jets.Permission{Subject: subject, Grant: grant}) }
	for _, kind := range kinds.All {
		for _, subject := range []string{jets.SubjectEvents(kind.Name, ""), jets.SubjectPosition(kind.Name, ""), jets.SubjectDeadLetter(kind.Name, "")} {
			publish(subject+probe, subject+">")
		}
	}
	for _, bucket := range []string{jets.BucketCursors, jets.BucketLocks, jets.BucketStatus, jets.BucketBudgets, jets.BucketBackfills} {
		publish(c.PutSubject(bucket, probe), c.PutSubject(bucket, ">"))
	}
	all = append(all, jets.Permission{Subject: c.PutSubject(jets.BucketNotified, probe), Optional: true, Grant: c.PutSubject(jets.BucketNotified, ">")})
	publish(c.APIPrefix+".INFO", c.APIPrefix+".INFO")
	for _, stream := range []string{jets.StreamSignals, jets.StreamDeadLetter, jets.BucketStream(jets.BucketIntegrations), jets.BucketStream(jets.BucketLocks)} {
		for _, act := range []string{"INFO", "CREATE", "UPDATE", "MSG.GET"} {
			publish(c.APIPrefix+".STREAM."+act+"."+stream, c.APIPrefix+".STREAM."+act+".*")
		}
	}
	all = append(all, jets.Permission{Subject: jets.SubjectWake("probe_doctor"), Optional: true, Grant: jets.SubjectWake("*")})
	for _, act := range []string{"CREATE", "MSG.NEXT", "INFO", "DELETE"} {
		publish(c.APIPrefix+".CONSUMER."+act+"."+jets.StreamSignals+".probe", c.APIPrefix+".CONSUMER.>")
	}
	subscribe := func(subject, grant string, optional bool) {
		all = append(all, jets.Permission{Subject: subject, Subscribe: true, Optional: optional, Grant: grant})
	}
	subscribe(c.NATS.NewInbox(), "_INBOX.>", false)
	for _, subject := range []string{jets.SubjectWake("*"), jets.SubjectReplicas, jets.SubjectReplica("*")} {
		subscribe(subject, subject, true)
	}
	subscribe(telemetry.PresenceSubject, micro.APIPrefix+".>", true)
	return all
}

// permissions tries the service's permissions with this command's user. Messages carry a
// header that makes every stream refuse them, and requests are empty, which no API
// accepts: nothing is stored, created or changed.
func (s *surroundings) permissions(ctx context.Context, d *observation) {
	// A separate connection, because the server reports refusals per connection.
	conn, err := s.dial.Connect(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		d.failed(err)
		return
	}
	defer conn.Close()
	var needed, optional []string
	for _, p := range permits(conn) {
		allowed, err := p.Try(ctx, conn)
		switch {
		case err != nil:
			d.wrong(fmt.Sprintf("%s can't be tried: %v", p.Subject, err), problem.Hint(err))
			return
		case allowed:
		case p.Optional:
			optional = append(optional, p.String())
		default:
			needed = append(needed, p.String())
		}
	}
	needed, optional = slices.Compact(needed), slices.Compact(optional)
	const remedy = "grant this user the service's permissions: signal-client help permissions"
	if len(needed) > 0 {
		d.wrong("refused: "+strings.Join(needed, ", "), remedy)
	}
	if len(optional) > 0 {
		d.warn("refused, but polling works without: "+strings.Join(optional, ", "), remedy)
	}
	d.fact("everything that the service publishes, requests and subscribes to is permitted")
}

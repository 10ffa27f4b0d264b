package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// serviceName is the micro service as which every replica answers $SRV.PING, INFO and STATS.
const serviceName = "signal-client"

// PresenceSubject is one of the subjects that a micro service subscribes to.
const PresenceSubject = micro.APIPrefix + ".PING." + serviceName

// Presence makes this process visible to NATS clients: as a replica of the micro service,
// with an endpoint for the status of its instances. It registers again after a reconnect.
// Nothing depends on it, and it shows no credential.
type Presence struct {
	Conn    *jets.Conn
	Replica func() string // may change
	Board   *StatusBoard
	Log     *slog.Logger
	started time.Time

	service micro.Service // nil: not registered
	name    string        // the replica's name at registration
	refused *uint64       // the connection that may not subscribe; nil: none
}

// presenceEvery is how often it checks for a renamed replica.
const presenceEvery = 5 * time.Second

// Run keeps the process registered until ctx ends.
func (p *Presence) Run(ctx context.Context) error {
	p.started = time.Now().UTC().Truncate(time.Second)
	defer p.leave()
	for {
		p.keep(ctx)
		if err := pipeline.Sleep(ctx, presenceEvery); err != nil {
			return err
		}
	}
}

// keep registers the service if it is not registered, or under another name.
func (p *Presence) keep(ctx context.Context) {
	generation := p.Conn.Generation()
	if p.service != nil && p.name == p.Replica() || !p.Conn.Connected() || p.refused != nil && *p.refused == generation {
		return
	}
	p.leave()
	if !p.granted(ctx) {
		p.refused = &generation
		p.Log.Warn("micro: this replica is not shown by `nats micro ls`: its user may not subscribe to $SRV.>; see: signal-client help permissions")
		return
	}
	if err := p.register(); err != nil {
		p.leave()
		p.Log.Warn("micro: this replica is not shown by `nats micro ls`", "err", err)
	}
}

// granted reports whether this user may make a micro service's subscriptions. Without
// this check a service without permission would log a dozen errors at each reconnect.
func (p *Presence) granted(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, presenceEvery)
	defer cancel()
	allowed, err := jets.Permission{Subject: PresenceSubject, Subscribe: true}.Try(ctx, p.Conn)
	return allowed || err != nil // unknown: try it
}

func (p *Presence) leave() {
	if p.service != nil {
		_ = p.service.Stop()
		p.service = nil
	}
}

func (p *Presence) register() (err error) {
	b := build.Read()
	p.name = p.Replica()
	config := micro.Config{
		Name:        serviceName,
		Version:     strings.TrimPrefix(b.Version, "v"),
		Description: "Okta System Log into NATS JetStream, every event exactly once",
		Metadata: map[string]string{
			"replica": p.name, "version": b.Version, "revision": b.Revision, "started": p.started.Format(time.RFC3339),
		},
		QueueGroupDisabled: true, // each replica answers for itself
		StatsHandler:       func(*micro.Endpoint) any { return p.figures() },
	}
	p.service, err = micro.AddService(p.Conn.NATS, config)
	if errors.Is(err, micro.ErrConfigValidation) { // a version that is not semantic
		config.Version = "0.0.0"
		p.service, err = micro.AddService(p.Conn.NATS, config)
	}
	if err != nil {
		return err
	}
	answer, about := micro.HandlerFunc(p.answer), micro.WithEndpointMetadata(map[string]string{"schema": "replica.json"})
	return errors.Join(
		p.service.AddEndpoint("status", answer, micro.WithEndpointSubject(jets.SubjectReplicas), about),
		p.service.AddEndpoint("replica", answer, micro.WithEndpointSubject(jets.SubjectReplica(p.name)), about),
	)
}

// replicaStatus is the endpoint's answer, as in schemas/replica.json.
type replicaStatus struct {
	Version   int               `json:"version"`
	Replica   string            `json:"replica"`
	Started   time.Time         `json:"started"`
	At        time.Time         `json:"at"`
	Orgs      int               `json:"orgs"`               // polled by it
	LeftOut   int               `json:"left_out,omitempty"` // requested orgs that the answer has no room for
	Instances []pipeline.Status `json:"instances"`
}

// answer replies with the status of all instances, or of the one that the request names.
func (p *Presence) answer(r micro.Request) {
	all := p.Board.All()
	status := replicaStatus{Version: 1, Replica: p.name, Started: p.started, At: time.Now().UTC().Truncate(time.Millisecond), Orgs: len(all), Instances: all}
	if asked := strings.TrimSpace(string(r.Data())); asked != "" {
		status.Instances = slices.DeleteFunc(all, func(s pipeline.Status) bool { return s.Instance != asked })
	}
	data, err := status.fit(int(p.Conn.NATS.MaxPayload()))
	if err != nil {
		_ = r.Error("500", err.Error(), nil)
		return
	}
	_ = r.Respond(data)
}

// fit encodes the status without the instances that would make it larger than most.
func (s replicaStatus) fit(most int) ([]byte, error) {
	const room = 4 << 10 // for headers and the members around the instances
	total := room
	for n, i := range s.Instances {
		data, err := json.Marshal(i)
		if err != nil {
			return nil, err
		}
		if total += len(data) + 1; total > most {
			s.LeftOut, s.Instances = len(s.Instances)-n, s.Instances[:n]
			break
		}
	}
	return json.Marshal(s)
}

// replicaFigures are the statistics of each endpoint.
type replicaFigures struct {
	Orgs   int                    `json:"orgs"`
	States map[pipeline.State]int `json:"states"`
	Events uint64                 `json:"events"` // by their statuses
	Lag    float64                `json:"most_lag_seconds"`
}

func (p *Presence) figures() replicaFigures {
	f := replicaFigures{States: map[pipeline.State]int{}}
	for _, s := range p.Board.All() {
		f.Orgs++
		f.States[s.State]++
		f.Events += s.Events
		f.Lag = max(f.Lag, s.LagSeconds)
	}
	return f
}

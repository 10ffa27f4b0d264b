package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/jets"
)

func (s *surroundings) streamChecks() []check {
	if s.conn == nil {
		return []check{skipped(groupStreams, "streams and buckets", notReached)}
	}
	if s.streamsErr != nil {
		return []check{failed(groupStreams, "streams and buckets", s.streamsErr)}
	}
	var checks []check
	for _, i := range s.streams {
		checks = append(checks, one(groupStreams, i.Name, func(ctx context.Context, d *observation) {
			if s.streamFound(i, d); i.Name == jets.StreamSignals && i.Info != nil {
				s.otherSites(ctx, d)
			}
		}))
	}
	return append(checks,
		one(groupStreams, "retention", s.retention),
		one(groupStreams, "dead letters", s.deadLetters),
		one(groupStreams, "search index", s.index),
		one(groupStreams, "notifications", s.notifications),
	)
}

// streamFound checks one stream: configuration, fill level and copies.
func (s *surroundings) streamFound(i jets.Inspection, d *observation) {
	switch {
	case i.Missing && s.missing() == len(s.streams):
		d.warn("it does not exist yet", "start the service: signal-client run creates it")
		return
	case i.Missing && s.leftOut[i.Name] != nil:
		d.skip("the account has no room for it")
		return
	case i.Missing && i.Spare:
		d.warn("it is gone: processes do not share what is left of an org's limit", "restart the service: at its start it creates what is missing")
		return
	case i.Missing:
		d.wrong("it is gone", "restart the service: at its start it creates what is missing")
		return
	case i.Info == nil:
		d.failed(i.Unfit)
		return
	}
	if i.Unfit != nil {
		d.wrong(i.Unfit.Error(), "the service refuses to start with it")
	}
	if i.Lacks != "" {
		d.warn("it lacks "+i.Lacks, "restart the service: at its start it adds what is missing")
	}
	for _, doubt := range i.Doubts {
		d.warn(doubt, "nats stream edit "+i.Info.Config.Name)
	}
	state, config := i.Info.State, i.Info.Config
	what := "message"
	if i.Bucket {
		what = "value"
	}
	d.fact("%s", term.Count(int(state.Msgs), what))
	s.streamRoom(i, d)
	d.copies(config, i.Info.Cluster)
}

// otherSites warns if another stream takes messages published here.
func (s *surroundings) otherSites(ctx context.Context, d *observation) {
	takers, err := s.conn.Takers(ctx, jets.SubjectEvents(kinds.Default.Name, probe))
	if err == nil && len(takers) > 1 {
		d.warn(fmt.Sprintf("messages on signals.> are stored by %d streams (%s): another site receives them", len(takers), strings.Join(takers, ", ")),
			"deny signals.>, signal-cursor.> and deadletter.> on the line between the sites (a leaf node's deny_imports and deny_exports)")
	}
}

// streamRoom reports how full a stream is. A stream that drops its oldest messages may
// always be full; retention judges that.
func (s *surroundings) streamRoom(i jets.Inspection, d *observation) {
	state, config := i.Info.State, i.Info.Config
	switch {
	case config.MaxBytes <= 0:
		d.fact("%s", humanize.IBytes(state.Bytes))
	case config.Discard == jetstream.DiscardOld:
		d.fact("%s of at most %s", humanize.IBytes(state.Bytes), humanize.IBytes(uint64(config.MaxBytes)))
	default:
		d.bucketUsage(state.Bytes, config)
	}
}

// bucketUsage reports how full a stream is that refuses what is new once it is full.
func (d *observation) bucketUsage(used uint64, config jetstream.StreamConfig) {
	share := float64(used) / float64(config.MaxBytes)
	text := fmt.Sprintf("%s of %s in use (%.0f %%)", humanize.IBytes(used), humanize.IBytes(uint64(config.MaxBytes)), 100*share)
	d.grade(share >= 0.97, share >= 0.8, text, "raise its max_bytes: nats stream edit "+config.Name+" --max-bytes=<bytes>: once it is full it takes no new keys")
}

// copies checks a stream's replication.
func (d *observation) copies(config jetstream.StreamConfig, cluster *jetstream.ClusterInfo) {
	if cluster == nil || cluster.Name == "" {
		d.fact("%s", copiesText(config.Replicas))
		return
	}
	if cluster.Leader == "" {
		d.wrong("it has no leader: nothing can be stored", "look at the servers of the cluster: nats server report jetstream")
		return
	}
	d.fact("%s, led by %s", copiesText(config.Replicas), cluster.Leader)
	if config.Replicas == 1 {
		d.warn(fmt.Sprintf("it has one copy, on %s, in a cluster", cluster.Leader), "set SIGNAL_CLIENT_NATS_REPLICAS=3 and restart the service: it raises the copies")
	}
	for _, peer := range cluster.Replicas {
		d.peer(peer)
	}
}

// mostLag is how many operations a copy may be behind: under load every copy lags a moment.
const mostLag = 1000

func (d *observation) peer(peer *jetstream.PeerInfo) {
	const remedy = "look at that server: nats server report jetstream"
	switch {
	case peer.Offline:
		d.warn(fmt.Sprintf("its copy on %s is offline", peer.Name), remedy)
	case peer.Lag > mostLag:
		d.warn(fmt.Sprintf("its copy on %s is %s operations behind", peer.Name, term.Number(peer.Lag)), remedy)
	case !peer.Current:
		d.warn(fmt.Sprintf("its copy on %s is not current, last seen %s ago", peer.Name, term.Span(peer.Active)), remedy)
	}
}

func copiesText(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}

// nearlyFull is the share of max_bytes at which a stream probably drops messages.
const nearlyFull = 0.95

// retention reports how far back the stream reaches, and what limits it.
func (s *surroundings) retention(_ context.Context, d *observation) {
	n := slices.IndexFunc(s.streams, func(i jets.Inspection) bool { return i.Name == jets.StreamSignals })
	if n < 0 || s.streams[n].Info == nil {
		d.skip("there is no stream " + jets.StreamSignals)
		return
	}
	state, config := s.streams[n].Info.State, s.streams[n].Info.Config
	if state.Msgs == 0 {
		d.fact("nothing is stored yet")
		return
	}
	age := s.now.Sub(state.FirstTime)
	full := config.MaxBytes > 0 && float64(state.Bytes) >= nearlyFull*float64(config.MaxBytes)
	switch {
	case full && age < 24*time.Hour:
		d.wrong(fmt.Sprintf("the stream is full and reaches back only %s", term.Span(age)), "raise its max_bytes: nats stream edit SIGNALS; consumers that are further behind miss events")
	case full && (config.MaxAge == 0 || age < config.MaxAge*9/10):
		d.warn(fmt.Sprintf("the stream is full and reaches back %s, not %s", term.Span(age), agesText(config.MaxAge)), "raise its max_bytes if consumers or replays need more: nats stream edit SIGNALS")
	default:
		d.fact("the oldest message is %s old, of at most %s", term.Span(age), agesText(config.MaxAge))
	}
}

func agesText(most time.Duration) string {
	if most == 0 || most >= config.Ever {
		return "any age"
	}
	return term.Span(most)
}

func (s *surroundings) deadLetters(_ context.Context, d *observation) {
	if s.lettersErr != nil {
		d.failed(s.lettersErr)
		return
	}
	var total uint64
	var parts []string
	for _, instance := range slices.Sorted(maps.Keys(s.letters)) {
		if s.asked(instance) {
			total += s.letters[instance]
			parts = append(parts, fmt.Sprintf("%s %s", instance, term.Number(s.letters[instance])))
		}
	}
	if total == 0 {
		d.fact("none")
		return
	}
	d.warn(fmt.Sprintf("%s could not be published: %s", term.Count(int(total), "element"), few(parts)), "signal-client deadletter list")
}

// few lists the first of many names.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

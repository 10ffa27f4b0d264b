package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/config"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/sink/jets"
)

const notReached = "NATS is not reached"

func (s *surroundings) natsChecks() []check {
	checks := []check{
		one(groupNATS, "reachable", s.reachable),
		one(groupNATS, "version", s.version),
		one(groupNATS, "jetstream", s.jetStream),
	}
	if s.conn == nil {
		for _, check := range []string{"limits", "permissions", "round trip", "clock"} {
			checks = append(checks, skipped(groupNATS, check, notReached))
		}
	} else {
		checks = append(checks,
			one(groupNATS, "limits", s.limits),
			one(groupNATS, "permissions", s.permissions),
			one(groupNATS, "round trip", s.roundTrip),
			one(groupNATS, "clock", s.clock),
		)
	}
	return append(checks, one(groupNATS, "context", s.context))
}

func (s *surroundings) reachable(_ context.Context, d *observation) {
	if s.connected() {
		d.fact("%s", s.dial.Where)
		if s.conn != nil {
			d.fact("server %s, connected in %s", s.conn.NATS.ConnectedServerName(), term.Span(s.took))
		}
		return
	}
	p := problem.Of(s.away)
	if s.nats.Embedded() && p.Code == problem.Unreachable {
		p.Hint = "start the service (signal-client run), or set NATS_URL=nats://<host>:4222"
	}
	if s.dial.Where == "" {
		d.wrong(fmt.Sprintf("%s: %v", p.Op, p.Err), p.Hint)
		return
	}
	d.wrong(config.DescribeAway(s.dial.Where, s.away), p.Hint)
}

func (s *surroundings) version(_ context.Context, d *observation) {
	switch {
	case errors.Is(s.away, jets.ErrServerTooOld):
		d.wrong(problem.Plain(s.away).Err.Error(), problem.Hint(s.away))
	case !s.connected():
		d.skip(notReached)
	case s.conn != nil:
		version := s.conn.NATS.ConnectedServerVersion()
		d.grade(false, jets.FaultyBatches(version), version, "upgrade nats-server to 2.12.14, 2.14.4 or newer: this version has known faults of atomic batches, with which events are stored")
	default:
		d.fact("2.12 or newer")
	}
}

func (s *surroundings) jetStream(_ context.Context, d *observation) {
	switch {
	case errors.Is(s.away, jets.ErrNoJetStream):
		d.wrong("it is off for this account", problem.Hint(s.away))
	case s.conn == nil:
		d.skip(notReached)
	case s.accountErr != nil:
		d.failed(s.accountErr)
	default:
		d.fact("on")
		if s.account.Domain != "" {
			d.fact("domain %s", s.account.Domain)
		}
	}
}

func (s *surroundings) limits(_ context.Context, d *observation) {
	payload := s.conn.NATS.MaxPayload()
	d.fact("messages of up to %s", humanize.IBytes(uint64(payload)))
	if payload < 1<<20 {
		d.warn("max_payload is "+humanize.IBytes(uint64(payload))+": larger events become dead letters", "max_payload: 8MB in the server's configuration")
	}
	if s.account == nil {
		return
	}
	tiers := s.account.Tiers
	if len(tiers) == 0 {
		tiers = map[string]jets.Tier{"": s.account.Tier}
	}
	for _, name := range slices.Sorted(maps.Keys(tiers)) {
		s.tier(strings.TrimPrefix(name+" ", " "), tiers[name], d)
	}
	switch {
	case errors.Is(s.fitErr, jets.ErrAccountLimit):
		d.wrong(s.fitErr.Error(), problem.Hint(s.fitErr))
	case s.fitErr != nil:
		d.failed(s.fitErr)
	}
	for _, name := range slices.Sorted(maps.Keys(s.leftOut)) {
		d.warn(fmt.Sprintf("%s is %v", name, s.leftOut[name]), "have the account's limit raised; polling works without it")
	}
}

// tier reports the limits of a tier, or of an account without tiers.
func (s *surroundings) tier(name string, t jets.Tier, d *observation) {
	d.usage(name+"storage of the account", max(t.Store, t.Reserved), t.Limits.MaxStore)
	if most := t.Limits.MaxStreams; most > 0 {
		d.fact("%d of %d %sstreams", t.Streams, most, name)
	}
	if t.Limits.MaxBytesRequired {
		d.fact("each %sstream states its max_bytes", name)
	}
	if most := t.Limits.MaxStreamBytes; most > 0 {
		d.fact("a %sstream has at most %s", name, humanize.IBytes(uint64(most)))
	}
	if most := t.Limits.MaxConsumers; most > 0 {
		d.grade(false, most < fewConsumers, fmt.Sprintf("a %sstream has at most %d consumers", name, most),
			fmt.Sprintf("have the account's limit raised to %d: a process that starts reads with several, and each subscriber needs one", fewConsumers))
	}
}

// fewConsumers is how many consumers a stream should have room for.
const fewConsumers = 32

// usage reports how full something is. A limit of 0 or less means no limit.
func (d *observation) usage(what string, used uint64, limit int64) {
	if limit <= 0 {
		d.fact("%s: %s in use, no limit", what, humanize.IBytes(used))
		return
	}
	share := float64(used) / float64(limit)
	text := fmt.Sprintf("%s: %s of %s in use (%.0f %%)", what, humanize.IBytes(used), humanize.IBytes(uint64(limit)), 100*share)
	d.grade(share >= 0.97, share >= 0.85, text, "give it more room: nothing can be stored once it is full")
}

// missing counts streams and buckets that don't exist.
func (s *surroundings) missing() int {
	n := 0
	for _, i := range s.streams {
		if i.Missing {
			n++
		}
	}
	return n
}

func (s *surroundings) roundTrip(_ context.Context, d *observation) {
	began := time.Now()
	err := s.conn.NATS.FlushTimeout(s.timeout)
	took := time.Since(began)
	switch {
	case err != nil:
		d.failed(err)
	case took > 2*time.Second:
		d.wrong(term.Span(took), "check the network and the server's load: sessions are renewed every third of SIGNAL_CLIENT_SESSION_TTL")
	case took > 250*time.Millisecond:
		d.warn(term.Span(took), "run the service closer to NATS: each page waits for two round trips")
	default:
		d.fact("%s", term.Span(took))
	}
}

// clock compares the server's clock with the local one, by the fastest answer.
func (s *surroundings) clock(_ context.Context, d *observation) {
	var best *jets.Inspection
	for n := range s.streams {
		if i := &s.streams[n]; i.Info != nil && (best == nil || i.Took < best.Took) {
			best = i
		}
	}
	if best == nil {
		d.skip("there is no stream yet whose server could be asked")
		return
	}
	d.skew("the server's", best.Skew, best.Took/2)
}

// skew reports how far another clock is from the local one.
func (d *observation) skew(whose string, skew, uncertain time.Duration) {
	beyond := skew.Abs() - uncertain
	if beyond <= 0 {
		d.fact("%s clock and this machine's agree within %s", whose, term.Span(uncertain))
		return
	}
	d.grade(beyond > time.Minute, beyond > 2*time.Second,
		fmt.Sprintf("%s clock is %s %s this machine's", whose, term.Span(skew.Abs()), ahead(skew)),
		"synchronize both clocks by NTP (chronyc tracking, timedatectl): stored data stays exact, but reported lags and times are wrong")
}

func ahead(skew time.Duration) string {
	if skew < 0 {
		return "behind"
	}
	return "ahead of"
}

// context reports which context the nats command has selected: the service follows only
// NATS_CONTEXT, which may surprise.
func (s *surroundings) context(_ context.Context, d *observation) {
	selected := selectedContext()
	switch {
	case s.nats.Context != "":
		d.fact("%s is followed, by NATS_CONTEXT", s.nats.Context)
	case selected == "":
		d.fact("none is selected in the nats command")
	case s.nats.Embedded():
		d.warn(fmt.Sprintf("%s is selected in the nats command but not followed: the embedded server is used", selected), "NATS_CONTEXT="+selected+" if that was intended")
	default:
		d.fact("%s is selected in the nats command but not followed: NATS_URL names the server", selected)
	}
}

// selectedContext returns the name of the nats command's selected context.
func selectedContext() string {
	path, err := config.ContextPath("any")
	if err != nil {
		return ""
	}
	name, err := os.ReadFile(filepath.Join(filepath.Dir(path), "..", "context.txt"))
	if err != nil {
		return ""
	}
	return term.Cut(term.Printable(strings.TrimSpace(string(name))), 60)
}

package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/problem"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/term"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/source/breaker"
)

// Kinds of advisories, also the kind token of their subjects.
const (
	adviseBreakerOpened = "breaker_opened"
	adviseBreakerClosed = "breaker_closed"
	adviseCursorRefused = "cursor_refused"
	adviseDataLost      = "data_lost"
	adviseGapFound      = "gap_found"
	advisePassedOver    = "passed_over"
	adviseDeadLetter    = "dead_letter"
	adviseLetterLost    = "dead_letter_lost"
	adviseTakeover      = "takeover"
	adviseNextFailed    = "next_credential_failed"
	adviseRotated       = "credential_changed"
	adviseTokenIdle     = "token_idle"
	adviseSilent        = "silent"
	adviseSilentOver    = "silent_over"

	AdviseStreamUnfit     = "stream_unfit" // the instance token is the stream's name
	AdviseStreamUnfitOver = "stream_unfit_over"
)

// AdvisoryKind is a kind of advisories, for those who choose among them.
type AdvisoryKind struct{ Name, About string }

// AdvisoryKinds returns all kinds.
func AdvisoryKinds() []AdvisoryKind {
	return []AdvisoryKind{
		{adviseBreakerOpened, "requests to an org are paused, for example because it refuses the API token"},
		{adviseBreakerClosed, "an org answers again"},
		{adviseCursorRefused, "an org refuses the cursor"},
		{adviseDataLost, "the stream has lost acknowledged data"},
		{adviseGapFound, "an audit found events missing in the stream"},
		{advisePassedOver, "events may be missing for good"},
		{adviseDeadLetter, "something could not be published as an event"},
		{adviseLetterLost, "DEADLETTER refuses what could not be published"},
		{adviseTakeover, "another process polls an org, after the first one ended"},
		{adviseNextFailed, "a new credential can't be changed to, for example because the org refuses it; polling continues"},
		{adviseRotated, "a new credential has worked and is used now"},
		{adviseTokenIdle, "an org is disabled, and Okta will soon delete its unused API token"},
		{adviseSilent, "an org has had no event for long"},
		{adviseSilentOver, "a silent org has new events again"},
		{AdviseStreamUnfit, "a stream or bucket has an unsuitable configuration"},
		{AdviseStreamUnfitOver, "the configuration of a stream or bucket is suitable again"},
	}
}

// advisory is the payload of an advisory, as in schemas/advisory.json.
type advisory struct {
	Version  int            `json:"version"`
	Kind     string         `json:"kind"`
	Instance string         `json:"instance"`
	Severity string         `json:"severity"` // info, warning or critical
	At       time.Time      `json:"at"`       // time of the first of Count
	Replica  string         `json:"replica"`  // the sender
	Count    int            `json:"count"`
	Message  string         `json:"message"` // one sentence
	Fields   map[string]any `json:"fields,omitempty"`
}

// Severities of advisories.
const (
	SeverityInfo     = "info"
	SeverityWarning  = "warning"
	SeverityCritical = "critical"
)

// advisoryKey is an advisory's kind and instance; of each at most one waits to be sent.
type advisoryKey struct{ kind, instance string }

// advisoryPause is the least time between two of one key: a burst becomes one with a count.
const advisoryPause = 10 * time.Second

// Advisories publishes what happens to instances on
// signal-client.advisory.<kind>.<instance>, by core NATS: only current subscribers get
// it. No call blocks, and nothing depends on it. It is safe for concurrent use.
type Advisories struct {
	silentAfter time.Duration // an org without events for this long is silent; 0: never
	Replica     func() string // may change
	Sent        func([]byte)  // gets each advisory that was published; nil: none; must not block
	conn        *jets.Conn
	log         *slog.Logger
	wake        chan struct{}

	mu      sync.Mutex
	waiting map[advisoryKey]*advisory
	sent    map[advisoryKey]time.Time // sent within advisoryPause
	each    map[string]*lastReported  // by instance polled here
	idle    map[string]time.Time      // tokens reported as idle, and when they were used
}

// lastReported is an instance's state as last reported.
type lastReported struct {
	open, opening bool // breaker state; opening: reported with the next error
	refused       bool
	silent        bool
}

// NewAdvisories returns a process's advisories; set replica before Run.
func NewAdvisories(conn *jets.Conn, silentAfter time.Duration, log *slog.Logger) *Advisories {
	return &Advisories{
		silentAfter: silentAfter, conn: conn, log: log, wake: make(chan struct{}, 1),
		waiting: map[advisoryKey]*advisory{}, sent: map[advisoryKey]time.Time{}, each: map[string]*lastReported{},
	}
}

// Trace returns the hooks that create advisories.
func (a *Advisories) Trace() *pipeline.Trace {
	return &pipeline.Trace{
		Breaker: a.breaker,
		Failed:  a.failed,
		Moved:   a.moved,
		Lost:    func(instance string) { a.Tell(adviseDataLost, instance, SeverityCritical, nil) },
		PassedOver: func(instance string, gap pipeline.Gap) {
			a.Tell(advisePassedOver, instance, SeverityCritical, map[string]any{
				"from": gap.From.Format(time.RFC3339), "until": gap.Until.Format(time.RFC3339)})
		},
		Audited: func(instance string, r pipeline.Audited) {
			if r.Missing > 0 {
				a.Gap(instance, r.Missing, r.Since, r.Until)
			}
		},
		Rotation: a.rotation,
		DeadLetter: func(instance string, flaw pipeline.Flaw) {
			a.Tell(adviseDeadLetter, instance, SeverityWarning, map[string]any{"reasons": map[string]int{string(flaw): 1}})
		},
		DeadLetterLost: func(instance string, flaw pipeline.Flaw) {
			a.Tell(adviseLetterLost, instance, SeverityCritical, map[string]any{"reasons": map[string]int{string(flaw): 1}})
		},
	}
}

// of calls f with the instance's last reported state.
func (a *Advisories) of(instance string, f func(*lastReported)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.each[instance] == nil {
		a.each[instance] = new(lastReported)
	}
	f(a.each[instance])
}

// Gone forgets an instance that is no longer polled here.
func (a *Advisories) Gone(instance string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.each, instance)
}

// breaker records each state. A failed probe does not count as another opening.
func (a *Advisories) breaker(instance, state string, refused bool) {
	closed := false
	a.of(instance, func(t *lastReported) {
		switch state {
		case breaker.Open:
			t.opening = !t.open || t.refused != refused
			t.open, t.refused = true, refused
		case breaker.Closed:
			closed = t.open && !t.opening
			t.open, t.opening = false, false
		}
	})
	if closed {
		a.Tell(adviseBreakerClosed, instance, SeverityInfo, nil)
	}
}

func (a *Advisories) failed(instance string, err error) {
	opened, refused := false, false
	a.of(instance, func(t *lastReported) { opened, t.opening, refused = t.opening, false, t.refused })
	if opened {
		severity := SeverityWarning
		if refused {
			severity = SeverityCritical
		}
		a.Tell(adviseBreakerOpened, instance, severity, map[string]any{"credential_refused": refused, "error": problem.Explain(err)})
	}
	if errors.Is(err, pipeline.ErrCursor) {
		a.Tell(adviseCursorRefused, instance, SeverityWarning, map[string]any{"error": problem.Explain(err)})
	}
}

// moved checks, at each poll that reaches the head of the log, how long the org is silent.
func (a *Advisories) moved(instance string, state pipeline.State, at pipeline.Position, _ time.Time) {
	if a.silentAfter == 0 || state != pipeline.StatePolling || at.PublishedMax.IsZero() {
		return
	}
	quiet := time.Since(at.PublishedMax)
	silent, changed := quiet >= a.silentAfter, false
	a.of(instance, func(t *lastReported) { changed, t.silent = t.silent != silent, silent })
	switch {
	case !changed:
	case silent:
		a.Tell(adviseSilent, instance, SeverityWarning, map[string]any{
			"last_published": at.PublishedMax.UTC().Format(time.RFC3339), "silent_seconds": int(quiet.Seconds())})
	default:
		a.Tell(adviseSilentOver, instance, SeverityInfo, map[string]any{
			"last_published": at.PublishedMax.UTC().Format(time.RFC3339)})
	}
}

// rotation reports a credential that fails only once, because it is tried again and again.
func (a *Advisories) rotation(instance string, r pipeline.Rotation) {
	switch {
	case r.Err == nil && r.From != "":
		a.Tell(adviseRotated, instance, SeverityInfo, map[string]any{"credential": r.From})
	case r.Err != nil && !r.Repeated:
		a.Tell(adviseNextFailed, instance, SeverityWarning, map[string]any{"credential": r.From, "error": problem.Explain(r.Err)})
	}
}

// Idle reports API tokens that are about to be deleted because they are unused: once each.
func (a *Advisories) Idle(tokens map[string]time.Time) {
	a.mu.Lock()
	before := a.idle
	a.idle = tokens
	a.mu.Unlock()
	for instance, used := range tokens {
		if !before[instance].Equal(used) {
			a.Tell(adviseTokenIdle, instance, SeverityWarning, map[string]any{"last_used": used.Format(time.RFC3339)})
		}
	}
}

// Took reports the takeover of a lock whose session ended; expired: nobody deleted it.
func (a *Advisories) Took(instance string, from locks.Lock, expired bool) {
	severity := SeverityInfo
	if expired {
		severity = SeverityWarning
	}
	a.log.Info("taken over", "instance", instance, "from", from.Holder, "expired", expired)
	a.Tell(adviseTakeover, instance, severity, map[string]any{"from": from.Holder, "expired": expired})
}

// Gap reports that an audit found events missing in the stream.
func (a *Advisories) Gap(instance string, missing int, from, until time.Time) {
	a.Tell(adviseGapFound, instance, SeverityCritical, map[string]any{
		"missing": missing, "from": from.UTC().Format(time.RFC3339), "until": until.UTC().Format(time.RFC3339)})
}

// Tell queues an advisory, or counts it with the one that waits.
func (a *Advisories) Tell(kind, instance, severity string, fields map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := advisoryKey{kind, instance}
	next := &advisory{Version: 1, Kind: kind, Instance: instance, Severity: severity, At: time.Now().UTC(), Count: 1, Fields: fields}
	if before := a.waiting[one]; before != nil {
		next.At, next.Count = before.At, before.Count+1
		addUp(next.Fields["reasons"], before.Fields["reasons"])
	}
	a.waiting[one] = next
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func addUp(to, from any) {
	sums, _ := to.(map[string]int)
	counts, _ := from.(map[string]int)
	for reason, n := range counts {
		sums[reason] += n
	}
}

// Run sends until ctx ends, and then sends what waits.
func (a *Advisories) Run(ctx context.Context) error {
	for {
		wait := a.flush(false)
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-a.wake:
		case <-due:
		case <-ctx.Done():
			a.flush(true)
			return ctx.Err()
		}
	}
}

// retryAway is how often the connection is checked while NATS is away.
const retryAway = time.Second

// flush sends what is due, or everything, the oldest first; it returns when to call it again.
func (a *Advisories) flush(all bool) time.Duration {
	if !a.conn.Connected() {
		return retryAway
	}
	ready, wait := a.take(all)
	for _, next := range ready {
		next.Replica = a.Replica()
		next.Message = next.sentence()
		data, err := json.Marshal(next)
		if err == nil {
			err = a.conn.NATS.Publish(jets.SubjectAdvisory(next.Kind, next.Instance), data)
		}
		if err != nil {
			a.log.Debug("advisory not sent", "kind", next.Kind, "instance", next.Instance, "err", err)
		} else if a.Sent != nil {
			a.Sent(data)
		}
	}
	return wait
}

// take removes what is due, or everything, and returns how long the rest waits.
func (a *Advisories) take(all bool) (ready []*advisory, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.sent, func(_ advisoryKey, at time.Time) bool { return time.Since(at) > advisoryPause })
	for key, next := range a.waiting {
		at, sent := a.sent[key]
		if due := advisoryPause - time.Since(at); sent && due > 0 && !all {
			if wait == 0 || due < wait {
				wait = due
			}
			continue
		}
		ready = append(ready, next)
		delete(a.waiting, key)
		a.sent[key] = time.Now()
	}
	slices.SortFunc(ready, func(x, y *advisory) int { return x.At.Compare(y.At) })
	return ready, wait
}

func (a *advisory) sentence() string {
	f := a.Fields
	switch a.Kind {
	case adviseBreakerOpened:
		return fmt.Sprintf("requests to %s are paused: %v", a.Instance, f["error"])
	case adviseBreakerClosed:
		return fmt.Sprintf("%s answers again and is polled as configured", a.Instance)
	case adviseCursorRefused:
		return fmt.Sprintf("%s refuses the cursor; if it does so again, a new query starts early enough to miss nothing", a.Instance)
	case adviseDataLost:
		return fmt.Sprintf("the stream has lost acknowledged data of %s; it is fetched again as far as Okta still has it", a.Instance)
	case adviseGapFound:
		return fmt.Sprintf("%v events of %s from %v until %v are not in the stream: signal-client audit --instance %s --repair", f["missing"], a.Instance, f["from"], f["until"], a.Instance)
	case advisePassedOver:
		return fmt.Sprintf("events of %s from %v until %v may be missing for good: they were not read while Okta kept them", a.Instance, f["from"], f["until"])
	case adviseDeadLetter:
		return fmt.Sprintf("%s of %s could not be published, see: signal-client deadletter list", term.Count(a.Count, "element"), a.Instance)
	case adviseLetterLost:
		return fmt.Sprintf("%s of %s could not be published, and DEADLETTER refuses them: make room in it; the log of %s names what is lost", term.Count(a.Count, "element"), a.Instance, a.Replica)
	case adviseTakeover:
		return fmt.Sprintf("%s is polled by %s now, after the session of %v ended", a.Instance, a.Replica, f["from"])
	case adviseNextFailed:
		return fmt.Sprintf("%s is not changed to its new credential (%v) yet: %v", a.Instance, f["credential"], f["error"])
	case adviseRotated:
		return fmt.Sprintf("the new credential of %s (%v) has worked and is used now", a.Instance, f["credential"])
	case adviseTokenIdle:
		return fmt.Sprintf("%s is disabled, and its API token was last used at %v: Okta deletes it after 30 days without use; enable it for a poll", a.Instance, f["last_used"])
	case adviseSilent:
		return fmt.Sprintf("no event of %s is newer than %v", a.Instance, f["last_published"])
	case AdviseStreamUnfit:
		return fmt.Sprintf("the stream or bucket %s has an unsuitable configuration: %v", strings.ToUpper(a.Instance), f["error"])
	case AdviseStreamUnfitOver:
		return fmt.Sprintf("the configuration of the stream or bucket %s is suitable again", strings.ToUpper(a.Instance))
	case adviseSilentOver:
		return fmt.Sprintf("%s has new events again", a.Instance)
	}
	return a.Kind + " " + a.Instance
}

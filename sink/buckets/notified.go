package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/jets"
)

// What became of a notification.
const (
	NotifySending  = "sending"  // a process has taken it on; if it stays so, that process was killed
	NotifyRetrying = "retrying" // the channel has failed and is tried again
	NotifySent     = "sent"
	NotifyFailed   = "failed"  // given up; the next advisory of its kind is sent again
	NotifySkipped  = "skipped" // it is of the same kind and instance as one sent within the cooldown
)

// NotifyTest is the rule, kind, instance and replica of a test message's record.
const NotifyTest = "test"

// Notification is what became of an advisory that a rule sends to a channel, a value of
// the bucket NOTIFIED.
type Notification struct {
	Version  int       `json:"version"`
	Rule     string    `json:"rule"`
	Channel  string    `json:"channel"`
	Kind     string    `json:"kind"`
	Instance string    `json:"instance"`
	Severity string    `json:"severity"`
	Message  string    `json:"message"`
	At       time.Time `json:"at"` // of this result
	Result   string    `json:"result"`
	Why      string    `json:"why,omitempty"` // retrying, failed and skipped: the reason
	Tries    int       `json:"tries,omitempty"`
	Replica  string    `json:"replica"` // the process that sends it
	Since    time.Time `json:"since"`   // when it was taken on; the cooldown begins then, unless it failed
}

// key returns a notification's key. Those that are skipped have one of their own: in the
// history of a key they would push out the one that was sent.
func (n Notification) key() string {
	prefix := "sent."
	if n.Result == NotifySkipped {
		prefix = "skipped."
	}
	return prefix + strings.Join([]string{n.Rule, n.Channel, n.Kind, n.Instance}, ".")
}

// Claim is a notification that this process sends.
type Claim struct {
	since    time.Time
	revision uint64 // of the newest record
}

// Claim takes on a notification for this process, so that Record may follow. It is the
// one place that decides who sends: of several processes that claim it at once the
// compare-and-set lets one succeed, and the cooldown of what was sent before skips it. The
// error then matches pipeline.ErrChanged. A process killed after its claim has sent it or
// not: nobody sends it again before the cooldown is over.
func (n *Notifications) Claim(ctx context.Context, next Notification, cooldown time.Duration) (Claim, error) {
	next.Result, next.At = NotifySending, time.Now().UTC()
	next.Since = next.At
	last, revision, err := n.last(ctx, next.key())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = n.Store.EnsureNotifications(ctx)
	}
	if err != nil {
		return Claim{}, err
	}
	if last.Result != NotifyFailed && time.Since(last.Since) < cooldown {
		next.Result = NotifySkipped
		next.Why = "the one of " + last.Since.Format(time.RFC3339) + " is within the cooldown"
		return Claim{}, errors.Join(fmt.Errorf("%s: %w", next.Why, pipeline.ErrChanged), n.append(ctx, next))
	}
	claim := Claim{next.Since, revision}
	err = n.Record(ctx, next, &claim)
	return claim, err
}

// RecordTest writes what became of a test message.
func (n *Notifications) RecordTest(ctx context.Context, one Notification) error {
	one.At = time.Now().UTC()
	one.Since = one.At
	err := n.append(ctx, one)
	if jets.StreamChanged(err) {
		if err := n.Store.EnsureNotifications(ctx); err != nil {
			return err
		}
		err = n.append(ctx, one)
	}
	return err
}

// append writes a record, whatever was recorded of its key.
func (n *Notifications) append(ctx context.Context, next Notification) error {
	next.Version = notificationVersion
	_, err := n.Store.Publisher.Publish(ctx, []*nats.Msg{{
		Subject: n.Store.Conn.PutSubject(jets.BucketNotified, next.key()), Data: jets.Encode(next), Header: nats.Header{},
	}})
	return err
}

// Record writes what became of a claimed notification.
func (n *Notifications) Record(ctx context.Context, next Notification, claim *Claim) error {
	next.Version, next.At, next.Since = notificationVersion, time.Now().UTC(), claim.since
	revision, err := n.Store.Conn.Put(ctx, jets.BucketNotified, next.key(), claim.revision, &nats.Msg{Data: jets.Encode(next)})
	if err == nil {
		claim.revision = revision
	}
	return err
}

func (n *Notifications) last(ctx context.Context, key string) (Notification, uint64, error) {
	m, err := n.Store.Conn.Value(ctx, jets.BucketNotified, key)
	var last Notification
	_ = json.Unmarshal(m.Data, &last) // what can't be read starts no cooldown
	return last, m.Seq, err
}

// Sent returns the last that became of each notification, newest first, at most that many.
func (n *Notifications) Sent(ctx context.Context, most int) ([]Notification, error) {
	type id struct {
		key   string
		since time.Time
	}
	last := map[id]Notification{}
	err := n.Store.Conn.Each(ctx, jets.BucketNotified, ">", true, func(e jets.KVEntry) {
		var one Notification
		if !e.Gone && json.Unmarshal(e.Value, &one) == nil {
			last[id{one.key(), one.Since}] = one
		}
	})
	all := slices.AppendSeq([]Notification{}, maps.Values(last)) // [] rather than null
	slices.SortFunc(all, func(a, b Notification) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.key(), b.key())) })
	return all[:min(most, len(all))], jets.IgnoreMissingBucket(err)
}

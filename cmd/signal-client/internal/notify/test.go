package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/source"
)

// Tested is the result of a test message.
type Tested struct {
	Channel string  `json:"channel"`
	Sent    bool    `json:"sent"`
	Answer  string  `json:"answer,omitempty"` // of the receiver
	Why     string  `json:"why,omitempty"`    // it was not sent
	Seconds float64 `json:"seconds"`
}

// Test sends a test message to a channel, once, and within 10 s. by is who asked for it;
// nil as client: one of its own.
func Test(ctx context.Context, client *http.Client, c buckets.Channel, by string) Tested {
	if client == nil {
		client = new(source.Network).Receivers()
		defer client.CloseIdleConnections()
	}
	begin := time.Now()
	answer, err := Send(ctx, client, c, testAdvisory(c, by))
	t := Tested{Channel: c.Name, Sent: err == nil, Answer: answer, Seconds: time.Since(begin).Round(time.Millisecond).Seconds()}
	if err != nil {
		t.Why = err.Error()
	}
	return t
}

// testAdvisory returns an advisory that says that it is a test.
func testAdvisory(c buckets.Channel, by string) Advisory {
	a := Advisory{Kind: buckets.NotifyTest, Instance: buckets.NotifyTest, Severity: "info", At: time.Now().UTC(),
		Message: fmt.Sprintf("this is a test of the channel %s, sent by %s", c.Name, by)}
	a.Data, _ = json.Marshal(map[string]any{ // it can't fail
		"version": 1, "kind": a.Kind, "instance": a.Instance, "severity": a.Severity, "at": a.At, "replica": buckets.NotifyTest, "count": 1, "message": a.Message,
	})
	return a
}

// recordTime bounds the record of a test.
const recordTime = 2 * time.Second

// RecordTest records a test of a stored channel, so that its state is that of the test.
func RecordTest(ctx context.Context, stored *buckets.Notifications, t Tested, by string) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	one := buckets.Notification{Rule: buckets.NotifyTest, Channel: t.Channel, Kind: buckets.NotifyTest, Instance: buckets.NotifyTest, Severity: "info",
		Message: "a test by " + by, Result: buckets.NotifySent, Why: t.Why, Tries: 1, Replica: buckets.NotifyTest}
	if !t.Sent {
		one.Result = buckets.NotifyFailed
	}
	return stored.RecordTest(ctx, one)
}

package notify

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/sinktest"
)

// fields are the fields that an error complains about.
func fields(err error) (names []string) {
	wrongs, ok := errors.AsType[*pipeline.ConfigError](err)
	if !ok {
		return nil
	}
	for _, c := range wrongs.Complaints {
		names = append(names, c.Field)
	}
	return names
}

// A URL that is left out stays, and a channel's document can be sent back as it is.
func TestChannelEdit(t *testing.T) {
	all := buckets.Rules{Channels: []buckets.Channel{{Name: "ops", Type: buckets.ChannelSlack, URL: pipeline.NewSecret("https://hooks.example/old")}}}
	for edit, want := range map[string]string{
		`{"type":"slack"}`:                                                         "https://hooks.example/old",
		`{"type":"slack","url":""}`:                                                "https://hooks.example/old",
		`{"type":"webhook","url":{"set":true}}`:                                    "https://hooks.example/old",
		`{"type":"slack","url":"https://h.example/new"}`:                           "https://h.example/new",
		`{"type":"slack","url_file":"/etc/slack.url"}`:                             "",
		`{"type":"email","smtp":"a:25","from":"a@b.example","to":["a@b.example"]}`: "",
	} {
		c, err := Channel(all, "ops", []byte(edit))
		if err != nil || c.URL.Reveal() != want || c.Name != "ops" {
			t.Errorf("%s: %s, %v", edit, c.URL.Reveal(), err)
		}
	}
	document, err := json.Marshal(Describe(all.Channels[0], []buckets.Notification{{Channel: "ops", Result: buckets.NotifySent}}))
	if err != nil || strings.Contains(string(document), "hooks.example") || !strings.Contains(string(document), `"url":{"set":true}`) {
		t.Errorf("document %s, %v", document, err)
	}
	if c, err := Channel(all, "ops", document); err != nil || c.URL != all.Channels[0].URL {
		t.Errorf("sent back: %+v, %v", c, err)
	}
	for edit, want := range map[string][]string{
		`[]`:                                {""},
		`{"type":"slack","url":null}`:       {"url"},
		`{"type":"slack","url":7}`:          {"url"},
		`{"type":"slack","url":"ftp://x"}`:  {"url"},
		`{"type":"slack","colour":"red"}`:   {"colour"},
		`{"type":"slack","name":"other"}`:   {"name"},
		`{"type":"slack","disabled":"yes"}`: {"disabled"},
		`{"type":"pager"}`:                  {"type"},
		`{"type":"email","to":["nobody"]}`:  {"smtp", "from", "to[0]"},
		`{"type":"slack","url":"https://h.example/new","url_file":"f"}`: {"url_file"},
	} {
		if _, err := Channel(all, "ops", []byte(edit)); !reflect.DeepEqual(fields(err), want) {
			t.Errorf("%s: %v", edit, err)
		}
	}
}

func TestRuleEdit(t *testing.T) {
	all := buckets.Rules{Channels: []buckets.Channel{{Name: "ops"}}}
	if r, err := Rule(all, "refused", []byte(`{"kinds":["breaker_*"],"channels":["ops"],"cooldown":"1h"}`)); err != nil || r.Name != "refused" {
		t.Errorf("%+v, %v", r, err)
	}
	for edit, want := range map[string][]string{
		`{}`:                                  {"channels"},
		`{"channels":["none","ops"]}`:         {"channels[0]"},
		`{"channels":"ops"}`:                  {"channels"},
		`{"channels":["ops"],"cooldown":"x"}`: {"cooldown"},
	} {
		if _, err := Rule(all, "refused", []byte(edit)); !reflect.DeepEqual(fields(err), want) {
			t.Errorf("%s: %v", edit, err)
		}
	}
}

// A test says what the receiver answered, and its record is the channel's state.
func TestTest(t *testing.T) {
	hook := receive(t)
	hook.answer = func(n int) int { return []int{200, 500}[n-1] }
	stored := &buckets.Notifications{Store: sinktest.New(t, jetstest.Config{}).Store}
	c := buckets.Channel{Name: "ops", Type: buckets.ChannelWebhook, URL: pipeline.NewSecret(hook.URL)}
	for _, sent := range []bool{true, false} {
		got := Test(t.Context(), nil, c, "ann")
		if got.Sent != sent || !strings.Contains(got.Answer+got.Why, map[bool]string{true: "200 OK", false: "500"}[sent]) {
			t.Errorf("%+v", got)
		}
		if err := RecordTest(t.Context(), stored, got, "ann"); err != nil {
			t.Fatal(err)
		}
		all, err := stored.Sent(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if d := Describe(c, all); d.Last == nil || d.Troubled() == sent || time.Since(d.Last.At) > time.Hour {
			t.Errorf("%+v of %+v", d, all)
		}
	}
	if err := schemas.Validate("advisory", []byte(hook.requests()[0])); err != nil {
		t.Error(err)
	}
}

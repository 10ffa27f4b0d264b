package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
)

// Advisory is what notifications are about, the payload of an advisory.
type Advisory struct {
	Kind     string          `json:"kind"`
	Instance string          `json:"instance"`
	Severity string          `json:"severity"`
	At       time.Time       `json:"at"`
	Message  string          `json:"message"`
	Data     json.RawMessage `json:"-"` // all of it, as schemas/advisory.json describes it; a webhook gets this
}

// title returns the first line of a message to a person.
func (a Advisory) title() string {
	return fmt.Sprintf("[%s] %s: %s", a.Severity, a.Instance, strings.ReplaceAll(a.Kind, "_", " "))
}

// sendTime bounds one attempt.
const sendTime = 10 * time.Second

// Send sends an advisory to a channel, once. Its error shows no secret.
func Send(ctx context.Context, client *http.Client, c buckets.Channel, a Advisory) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	switch c.Type {
	case buckets.ChannelWebhook:
		return sendWebhook(ctx, client, c, a.Data)
	case buckets.ChannelSlack:
		text, err := json.Marshal(map[string]string{"text": slackText(a)})
		if err != nil {
			return err
		}
		return sendWebhook(ctx, client, c, text)
	case buckets.ChannelEmail:
		return sendEmail(ctx, c, a)
	}
	return fmt.Errorf("channel %s: unknown type %q", c.Name, c.Type)
}

// slackText returns the message in Slack's mark-up, in which these three characters must
// be escaped. Source: docs.slack.dev, "Formatting message text", read 2026-11-28.
func slackText(a Advisory) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	return "*" + escape(a.title()) + "*\n" + escape(a.Message)
}

// sendWebhook posts JSON. Redirects are not followed: the body and the header belong to
// the configured host.
func sendWebhook(ctx context.Context, client *http.Client, c buckets.Channel, body []byte) error {
	target := c.URL.Reveal()
	if c.URLFile != "" {
		text, err := secretFile(ctx, c.URLFile)
		if err != nil {
			return fmt.Errorf("read url_file: %w", err)
		}
		target = text
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the channel's URL is no URL") // err shows it
	}
	req.Header.Set("Content-Type", "application/json")
	if c.AuthorizationFile != "" {
		text, err := secretFile(ctx, c.AuthorizationFile)
		if err != nil {
			return fmt.Errorf("read authorization_file: %w", err)
		}
		req.Header.Set("Authorization", text)
	}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok { // it shows the URL
			err = e.Err
		}
		return fmt.Errorf("post to %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s: %q", req.URL.Host, resp.Status, said)
	}
	return nil
}

// mostSecret is the largest file of a secret.
const mostSecret = 16 << 10

func secretFile(ctx context.Context, path string) (string, error) {
	data, err := pipeline.ReadFile(ctx, path, mostSecret)
	text := strings.TrimSpace(string(data))
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty", path)
	}
	return text, err
}

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
	"unicode"

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

// Send sends an advisory to a channel, once, and returns what the receiver answers.
// Neither that nor its error shows a secret.
func Send(ctx context.Context, client *http.Client, c buckets.Channel, a Advisory) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	switch c.Type {
	case buckets.ChannelWebhook:
		return sendWebhook(ctx, client, c, a.Data)
	case buckets.ChannelSlack:
		text, err := json.Marshal(map[string]string{"text": slackText(a)})
		if err != nil {
			return "", err
		}
		return sendWebhook(ctx, client, c, text)
	case buckets.ChannelEmail:
		return sendEmail(ctx, c, a)
	}
	return "", fmt.Errorf("channel %s: unknown type %q", c.Name, c.Type)
}

// slackText returns the message in Slack's mark-up, in which these three characters must
// be escaped. Source: docs.slack.dev, "Formatting message text", read 2026-11-28.
func slackText(a Advisory) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	return "*" + escape(a.title()) + "*\n" + escape(a.Message)
}

// sendWebhook posts JSON. Redirects are not followed: the body and the header belong to
// the configured host.
func sendWebhook(ctx context.Context, client *http.Client, c buckets.Channel, body []byte) (string, error) {
	target, authorization, err := webhookSecrets(ctx, c)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil || req.URL.Host == "" {
		return "", errors.New("the channel's URL is no URL") // err shows it
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok { // it shows the URL
			err = e.Err
		}
		return "", fmt.Errorf("post to %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, mostSaid))
	answer := fmt.Sprintf("%s answers %s", req.URL.Host, resp.Status)
	if text := hide(string(said), req.URL, authorization); text != "" {
		answer += ": " + text
	}
	if resp.StatusCode/100 != 2 {
		return "", errors.New(answer)
	}
	return answer, nil
}

// webhookSecrets reads a channel's URL and the value of its header Authorization.
func webhookSecrets(ctx context.Context, c buckets.Channel) (target, authorization string, err error) {
	target = c.URL.Reveal()
	if c.URLFile != "" {
		if target, err = secretFile(ctx, c, c.URLFile); err != nil {
			return "", "", fmt.Errorf("read url_file: %w", err)
		}
	}
	if c.AuthorizationFile != "" {
		if authorization, err = secretFile(ctx, c, c.AuthorizationFile); err != nil {
			return "", "", fmt.Errorf("read authorization_file: %w", err)
		}
	}
	return target, authorization, nil
}

// How much of an answer is read, and shown of it.
const (
	mostSaid  = 4 << 10
	mostShown = 200
)

// hide takes the secrets of a request out of its answer: pages of errors often repeat the
// path. Each part of the path and query that is long enough to be a secret is one. The
// answer becomes one line.
func hide(said string, at *url.URL, authorization string) string {
	_, credential, _ := strings.Cut(authorization, " ")
	secrets := []string{at.String(), at.RequestURI(), at.Path, authorization, credential}
	secrets = append(secrets, strings.FieldsFunc(at.RequestURI(), func(r rune) bool { return strings.ContainsRune("/?&=", r) })...)
	for _, secret := range secrets {
		if len(secret) >= leastSecret {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	said = strings.ToValidUTF8(said[:min(len(said), mostShown)], "")
	return strings.Join(strings.FieldsFunc(said, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
}

// leastSecret is the least length of a part of a URL that may be a secret.
const leastSecret = 6

// mostSecret is the largest file of a secret.
const mostSecret = 16 << 10

func secretFile(ctx context.Context, c buckets.Channel, path string) (string, error) {
	data, err := pipeline.ReadFileBelow(ctx, c.FilesDir, path, mostSecret)
	text := strings.TrimSpace(string(data))
	if err == nil && text == "" {
		err = fmt.Errorf("%s is empty", path)
	}
	return text, err
}

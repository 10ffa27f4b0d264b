package notify

import (
	"context"

	"github.com/witfoo/signal-client/sink/buckets"
)

// Document is all channels and rules as users see them.
type Document struct {
	Channels []ChannelDocument `json:"channels"`
	Rules    []buckets.Rule    `json:"rules"`
}

// ChannelDocument is a channel as users see it: without its URL, and with the last that
// became of its notifications.
type ChannelDocument struct {
	buckets.Channel
	URL  *Set                  `json:"url,omitempty"`  // in place of the channel's own; nil: there is none
	Last *buckets.Notification `json:"last,omitempty"` // nil: none was sent in the last 30 days
}

// Set stands for a secret that is set.
type Set struct {
	Set bool `json:"set"`
}

// Describe returns a channel's document; sent is what became of notifications, newest
// first.
func Describe(c buckets.Channel, sent []buckets.Notification) ChannelDocument {
	d := ChannelDocument{Channel: c}
	if !c.URL.IsZero() {
		d.URL = &Set{true}
	}
	for _, n := range sent {
		if n.Channel == c.Name && n.Result != buckets.NotifySkipped {
			d.Last = &n
			break
		}
	}
	return d
}

// Troubled reports whether the last notification failed, or is tried again.
func (d ChannelDocument) Troubled() bool {
	return d.Last != nil && (d.Last.Result == buckets.NotifyFailed || d.Last.Result == buckets.NotifyRetrying)
}

// Where says where a channel sends to, without what may be a secret.
func (d ChannelDocument) Where() string {
	switch {
	case d.Type == buckets.ChannelEmail:
		return d.SMTP
	case d.URLFile != "":
		return "URL in " + d.URLFile
	}
	return "URL is set"
}

// Read returns all channels and rules, and what became of notifications, newest first.
func Read(ctx context.Context, stored *buckets.Notifications) (Document, []buckets.Notification, error) {
	all, err := stored.Read(ctx)
	if err != nil {
		return Document{}, nil, err
	}
	sent, err := stored.Sent(ctx, allSent)
	d := Document{Channels: make([]ChannelDocument, len(all.Channels)), Rules: all.Rules}
	for i, c := range all.Channels {
		d.Channels[i] = Describe(c, sent)
	}
	return d, sent, err
}

// allSent is more than NOTIFIED may hold.
const allSent = 1 << 30

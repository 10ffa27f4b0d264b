package notificationpages

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/sink/buckets"
)

// listShown is the data of the list.
type listShown struct {
	Channels []channelShown
	Rules    []ruleShown
	History  []notificationShown // newest first
	More     bool                // the history is longer
}

// channelShown is a channel in the list.
type channelShown struct {
	notify.ChannelDocument
	State state
	Rules []string // that send to it
}

// ruleShown is a rule in the list.
type ruleShown struct {
	buckets.Rule
	Missing []string // channels that do not exist
}

// notificationShown is a line of the history.
type notificationShown struct {
	buckets.Notification
	State state
}

// state is a state in words, with a sign and a colour.
type state struct{ Word, Sign, Tone string }

// historyShown is how many notifications the page shows.
const historyShown = 50

func (p *pages) list(w http.ResponseWriter, r *http.Request) {
	d, sent, err := notify.Read(r.Context(), p.Stored)
	if err != nil {
		p.unavailable(w, r, err)
		return
	}
	p.Page.Render(w, r, http.StatusOK, "notifications/list", shown(d, sent, time.Now()))
}

func shown(d notify.Document, sent []buckets.Notification, now time.Time) listShown {
	l := listShown{More: len(sent) > historyShown}
	all := rulesOf(d)
	for _, c := range d.Channels {
		l.Channels = append(l.Channels, channelShown{c, stateOf(c, now), all.Using(c.Name)})
	}
	for _, r := range d.Rules {
		one := ruleShown{Rule: r}
		for _, name := range r.Channels {
			if _, known := all.Channel(name); !known {
				one.Missing = append(one.Missing, name)
			}
		}
		l.Rules = append(l.Rules, one)
	}
	for _, n := range sent[:min(len(sent), historyShown)] {
		l.History = append(l.History, notificationShown{n, resultOf(n, now)})
	}
	return l
}

// rulesOf returns a document as it is stored, without secrets.
func rulesOf(d notify.Document) buckets.Rules {
	all := buckets.Rules{Rules: d.Rules}
	for _, c := range d.Channels {
		all.Channels = append(all.Channels, c.Channel)
	}
	return all
}

// stateOf returns a channel's state: that of its last notification.
func stateOf(c notify.ChannelDocument, now time.Time) state {
	switch {
	case c.Disabled:
		return state{"disabled", "–", "grey"}
	case c.Last == nil:
		return state{"nothing sent yet", "○", "grey"}
	}
	s := resultOf(*c.Last, now)
	if c.Last.Result == buckets.NotifySent {
		s.Word = "works"
	}
	return s
}

// abandonedAfter is how long after its beginning an attempt is surely over.
const abandonedAfter = time.Minute

func resultOf(n buckets.Notification, now time.Time) state {
	switch n.Result {
	case buckets.NotifySent:
		return state{"sent", "✓", "green"}
	case buckets.NotifyFailed:
		return state{"failed", "✕", "red"}
	case buckets.NotifyRetrying:
		return state{"retrying", "↻", "amber"}
	case buckets.NotifySkipped:
		return state{"skipped", "–", "grey"}
	case buckets.NotifySending:
		if now.Sub(n.At) < abandonedAfter {
			return state{"sending", "…", "blue"}
		}
		return state{"interrupted", "!", "amber"}
	}
	return state{n.Result, "·", "grey"}
}

// Words lists names, or says that it is all.
func (ruleShown) Words(names []string) string {
	if len(names) == 0 {
		return "all"
	}
	return strings.Join(names, ", ")
}

// Lacks reports whether a channel of the rule does not exist.
func (r ruleShown) Lacks(channel string) bool { return slices.Contains(r.Missing, channel) }

package notificationpages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/notify"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/telemetry"
	"github.com/witfoo/signal-client/sink/buckets"
)

// channelForm is the data of a channel's form.
type channelForm struct {
	New     bool
	Channel notify.ChannelDocument
	Rules   []string // that send to it: it can't be deleted
}

// To is what the field To shows.
func (f channelForm) To() string { return strings.Join(f.Channel.To, ", ") }

func (p *pages) newChannel(w http.ResponseWriter, r *http.Request, _ notify.Document) {
	c := buckets.Channel{Type: r.URL.Query().Get("type")}
	p.Page.Render(w, r, http.StatusOK, "notifications/channel", channelForm{New: true, Channel: notify.ChannelDocument{Channel: c}})
}

func (p *pages) channel(w http.ResponseWriter, r *http.Request, d notify.Document) {
	for _, c := range d.Channels {
		if c.Name == r.PathValue("name") {
			p.Page.Render(w, r, http.StatusOK, "notifications/channel", channelForm{Channel: c, Rules: rulesOf(d).Using(c.Name)})
			return
		}
	}
	p.missing(w, r, "channel")
}

// ruleForm is the data of a rule's form.
type ruleForm struct {
	New      bool
	Rule     buckets.Rule
	Kinds    []choice
	Patterns string   // kinds that are none of the choices
	Channels []choice // those that exist, and those that the rule names
}

// choice is a box to tick.
type choice struct {
	Name, About string
	Chosen      bool
}

// Instances is what the field Instances shows.
func (f ruleForm) Instances() string { return strings.Join(f.Rule.Instances, ", ") }

func (p *pages) newRule(w http.ResponseWriter, r *http.Request, d notify.Document) {
	rule := buckets.Rule{Severity: "warning"}
	if len(d.Channels) == 1 {
		rule.Channels = []string{d.Channels[0].Name}
	}
	p.showRule(w, r, d, rule, true)
}

func (p *pages) rule(w http.ResponseWriter, r *http.Request, d notify.Document) {
	rule, ok := rulesOf(d).Rule(r.PathValue("name"))
	if !ok {
		p.missing(w, r, "rule")
		return
	}
	p.showRule(w, r, d, rule, false)
}

func (p *pages) showRule(w http.ResponseWriter, r *http.Request, d notify.Document, rule buckets.Rule, isNew bool) {
	f := ruleForm{New: isNew, Rule: rule}
	patterns := slices.Clone(rule.Kinds)
	for _, k := range telemetry.AdvisoryKinds() {
		f.Kinds = append(f.Kinds, choice{k.Name, k.About, slices.Contains(rule.Kinds, k.Name)})
		patterns = slices.DeleteFunc(patterns, func(p string) bool { return p == k.Name })
	}
	f.Patterns = strings.Join(patterns, ", ")
	missing := slices.Clone(rule.Channels)
	for _, c := range d.Channels {
		about := c.Type
		if c.Disabled {
			about += ", disabled"
		}
		f.Channels = append(f.Channels, choice{c.Name, about, slices.Contains(rule.Channels, c.Name)})
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == c.Name })
	}
	for _, name := range missing {
		f.Channels = append(f.Channels, choice{name, "does not exist", true})
	}
	p.Page.Render(w, r, http.StatusOK, "notifications/rule", f)
}

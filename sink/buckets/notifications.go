package buckets

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/schemas"
	"github.com/witfoo/signal-client/sink/jets"
)

// Types of channels.
const (
	ChannelWebhook = "webhook"
	ChannelSlack   = "slack"
	ChannelEmail   = "email"
)

// DefaultCooldown is how long a rule is silent about what it has notified of.
const DefaultCooldown = 15 * time.Minute

const notificationVersion = 1

// Channel is where notifications go, a value of the bucket NOTIFICATIONS. It is encoded
// without its secrets; Put stores them.
type Channel struct {
	Version  int    `json:"version"`
	Name     string `json:"name"` // part of the key
	Type     string `json:"type"` // webhook, slack or email
	Disabled bool   `json:"disabled,omitempty"`

	// Of webhook and slack: one of them. A Slack webhook's URL is its credential.
	URL     pipeline.Secret `json:"url,omitzero"`
	URLFile string          `json:"url_file,omitempty"`
	// Of webhook: the value of the header Authorization; empty: none.
	AuthorizationFile string `json:"authorization_file,omitempty"`

	// Of email.
	SMTP         string   `json:"smtp,omitempty"` // host and port
	TLS          string   `json:"tls,omitempty"`  // starttls (default), tls or none
	From         string   `json:"from,omitempty"`
	To           []string `json:"to,omitempty"`
	User         string   `json:"user,omitempty"` // empty: no authentication
	PasswordFile string   `json:"password_file,omitempty"`

	FilesDir string `json:"-"` // its files are read below it only; empty: anywhere
}

// Rule says which advisories go to which channels, a value of the bucket NOTIFICATIONS.
type Rule struct {
	Version   int      `json:"version"`
	Name      string   `json:"name"` // part of the key
	Disabled  bool     `json:"disabled,omitempty"`
	Kinds     []string `json:"kinds,omitempty"`     // of advisories, as patterns such as breaker_*; none: all
	Instances []string `json:"instances,omitempty"` // as patterns such as prod-*; none: all
	Severity  string   `json:"severity,omitempty"`  // the least: info, warning (default) or critical
	Channels  []string `json:"channels"`            // their names
	Cooldown  string   `json:"cooldown,omitempty"`  // such as 15m, the default
}

// severities are in ascending order.
var severities = []string{"info", "warning", "critical"}

// Matches reports whether the rule is about an advisory.
func (r Rule) Matches(kind, instance, severity string) bool {
	least := slices.Index(severities, cmp.Or(r.Severity, "warning"))
	return !r.Disabled && matchesAny(r.Kinds, kind) && matchesAny(r.Instances, instance) && slices.Index(severities, severity) >= least
}

// Silence returns how long the rule says nothing about what it has notified of.
func (r Rule) Silence() time.Duration {
	if d, err := time.ParseDuration(r.Cooldown); err == nil {
		return d
	}
	return DefaultCooldown
}

// matchesAny reports whether a pattern matches; no patterns match everything.
func matchesAny(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name) // Check refuses a bad pattern
		return ok
	})
}

// Check returns what is wrong with a channel, as a *pipeline.ConfigError.
func (c Channel) Check() error {
	var w complaints
	w.name(c.Name)
	switch c.Type {
	case ChannelWebhook, ChannelSlack:
		c.checkURL(&w)
	case ChannelEmail:
		c.checkEmail(&w)
	default:
		w.add("type", "must be webhook, slack or email, got %q", c.Type)
	}
	return w.err()
}

func (c Channel) checkURL(w *complaints) {
	if c.URL.IsZero() {
		if c.URLFile == "" {
			w.add("url", "is missing (give it, or url_file)")
		}
		return
	}
	if c.URLFile != "" {
		w.add("url_file", "and url are both given (give one of them)")
	}
	u, err := url.Parse(c.URL.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" { // the URL may be a secret: it is not shown
		w.add("url", "is no URL (it begins with https://)")
	}
}

func (c Channel) checkEmail(w *complaints) {
	if host, port, err := net.SplitHostPort(c.SMTP); err != nil || host == "" || port == "" {
		w.add("smtp", "must be host and port, such as smtp.example.com:587, got %q", c.SMTP)
	}
	if !slices.Contains([]string{"", "starttls", "tls", "none"}, c.TLS) {
		w.add("tls", "must be starttls, tls or none, got %q", c.TLS)
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		w.add("from", "must be an e-mail address, got %q", c.From)
	}
	if len(c.To) == 0 {
		w.add("to", "is missing (give at least one e-mail address)")
	}
	for i, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			w.add(fmt.Sprintf("to[%d]", i), "must be an e-mail address, got %q", to)
		}
	}
	if (c.User == "") != (c.PasswordFile == "") {
		w.add("password_file", "and user belong together (give both, or neither)")
	}
}

// Check returns what is wrong with a rule, as a *pipeline.ConfigError.
func (r Rule) Check() error {
	var w complaints
	w.name(r.Name)
	for field, patterns := range map[string][]string{"kinds": r.Kinds, "instances": r.Instances} {
		for i, p := range patterns {
			if _, err := path.Match(p, ""); err != nil || p == "" {
				w.add(fmt.Sprintf("%s[%d]", field, i), "must be a name or a pattern such as prod-*, got %q", p)
			}
		}
	}
	if r.Severity != "" && !slices.Contains(severities, r.Severity) {
		w.add("severity", "must be info, warning or critical, got %q", r.Severity)
	}
	if len(r.Channels) == 0 {
		w.add("channels", "is missing (give the name of at least one channel)")
	}
	if d, err := time.ParseDuration(r.Cooldown); r.Cooldown != "" && (err != nil || d < 0 || d > 7*24*time.Hour) {
		w.add("cooldown", "must be a duration from 0s to 168h, such as 15m, got %q", r.Cooldown)
	}
	return w.err()
}

// complaints collects what is wrong with a value.
type complaints []schemas.Complaint

// nameForm is the form of names of channels and rules, as of instances.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (c *complaints) add(field, format string, args ...any) {
	*c = append(*c, schemas.Complaint{Field: field, Problem: fmt.Sprintf(format, args...)})
}

func (c *complaints) name(name string) {
	if !nameForm.MatchString(name) {
		c.add("name", "must be lower-case letters, digits and hyphens, at most 63, got %q", name)
	}
}

func (c complaints) err() error {
	if len(c) == 0 {
		return nil
	}
	return &pipeline.ConfigError{Complaints: c}
}

// Notifications reads and writes the buckets NOTIFICATIONS and NOTIFIED. It creates them
// with the first write.
type Notifications struct{ Store *jets.Store }

// Rules are the channels and rules, by name.
type Rules struct {
	Channels []Channel `json:"channels"`
	Rules    []Rule    `json:"rules"`
}

// Channel returns the channel of that name.
func (r Rules) Channel(name string) (Channel, bool) {
	i := slices.IndexFunc(r.Channels, func(c Channel) bool { return c.Name == name })
	if i < 0 {
		return Channel{}, false
	}
	return r.Channels[i], true
}

// Rule returns the rule of that name.
func (r Rules) Rule(name string) (Rule, bool) {
	i := slices.IndexFunc(r.Rules, func(one Rule) bool { return one.Name == name })
	if i < 0 {
		return Rule{}, false
	}
	return r.Rules[i], true
}

// Using returns the names of the rules that send to a channel.
func (r Rules) Using(channel string) (names []string) {
	for _, one := range r.Rules {
		if slices.Contains(one.Channels, channel) {
			names = append(names, one.Name)
		}
	}
	return names
}

// Prefixes of keys in NOTIFICATIONS.
const (
	channelKeys = "channel."
	ruleKeys    = "rule."
)

// Read returns all channels and rules. A bucket that does not exist is empty; a value that
// can't be read is left out.
func (n *Notifications) Read(ctx context.Context) (Rules, error) {
	all := Rules{Channels: []Channel{}, Rules: []Rule{}} // [] rather than null
	err := n.Store.Conn.Each(ctx, jets.BucketNotifications, ">", false, func(e jets.KVEntry) {
		if e.Gone {
			return
		}
		if name, ok := strings.CutPrefix(e.Key, channelKeys); ok {
			c := Channel{FilesDir: n.Store.Secrets.Dir}
			if json.Unmarshal(e.Value, &c) == nil {
				c.Name = name
				all.Channels = append(all.Channels, c)
			}
		} else if name, ok := strings.CutPrefix(e.Key, ruleKeys); ok {
			r := Rule{}
			if json.Unmarshal(e.Value, &r) == nil {
				r.Name = name
				all.Rules = append(all.Rules, r)
			}
		}
	})
	slices.SortFunc(all.Channels, func(a, b Channel) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(all.Rules, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	return all, jets.IgnoreMissingBucket(err)
}

// PutChannel stores a channel, whole. Its error is Check's, or of NATS.
func (n *Notifications) PutChannel(ctx context.Context, c Channel) error {
	if err := c.Check(); err != nil {
		return err
	}
	c.Version = notificationVersion
	stored := struct {
		Channel
		URL string `json:"url,omitempty"` // hides that of Channel, which is not encoded
	}{c, c.URL.Reveal()}
	return n.put(ctx, channelKeys+c.Name, &nats.Msg{Data: jets.Encode(stored), Header: nats.Header{}})
}

// PutRule stores a rule, whole. Its error is Check's, or of NATS.
func (n *Notifications) PutRule(ctx context.Context, r Rule) error {
	if err := r.Check(); err != nil {
		return err
	}
	r.Version = notificationVersion
	return n.put(ctx, ruleKeys+r.Name, &nats.Msg{Data: jets.Encode(r), Header: nats.Header{}})
}

// DeleteChannel deletes a channel; one that does not exist is no error.
func (n *Notifications) DeleteChannel(ctx context.Context, name string) error {
	return n.put(ctx, channelKeys+name, &nats.Msg{Header: nats.Header{"KV-Operation": []string{"DEL"}}})
}

// DeleteRule deletes a rule; one that does not exist is no error.
func (n *Notifications) DeleteRule(ctx context.Context, name string) error {
	return n.put(ctx, ruleKeys+name, &nats.Msg{Header: nats.Header{"KV-Operation": []string{"DEL"}}})
}

// put writes a key, whatever stands there: of two who edit one channel at once the second
// wins, and the bucket keeps the last five values.
func (n *Notifications) put(ctx context.Context, key string, m *nats.Msg) error {
	m.Subject = n.Store.Conn.PutSubject(jets.BucketNotifications, key)
	_, err := n.Store.Publisher.Publish(ctx, []*nats.Msg{m})
	if jets.StreamChanged(err) {
		if err := n.Store.EnsureNotifications(ctx); err != nil {
			return err
		}
		_, err = n.Store.Publisher.Publish(ctx, []*nats.Msg{m})
	}
	return err
}

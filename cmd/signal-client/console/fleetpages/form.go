package fleetpages

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/sink/buckets"
)

// formShown is the data of the form.
type formShown struct {
	Heading  string
	Kind     string // name of the kind of source
	New      bool
	Document view.Document // what the fields hold
	Host     string        // in the field FQDN
	Interval string        // in the field Polling Interval
	Token    secretShown
	Next     secretShown // the token to change to
	Key      secretShown // of a service app
	Password secretShown // of the proxy's user
	Tile     tile        // of an existing one
	Away     string      // why its figures are old; empty: they are current
	Newest   *eventShown
	Log      []buckets.Change // newest first
	ReadOnly bool             // for viewers, and for what a service's environment configures
}

// secretShown is what is to be said of a stored secret.
type secretShown struct {
	Set    bool
	Sealed bool
	File   string // read from there by the processes that poll
}

func (p *pages) add(w http.ResponseWriter, r *http.Request, kind string) {
	if kind != p.Kind.Name {
		p.Page.Error(w, r, access.Refusal{Status: http.StatusNotFound, Title: "There is no such type of integration", Cause: kind + " is not one that signal-client knows."})
		return
	}
	if !access.From(r.Context()).Role.May(access.RoleAdmin) {
		p.Page.Error(w, r, access.Refusal{Status: http.StatusForbidden, Title: "You may not add an integration", Cause: "It needs the role admin.", Remedy: "Ask an administrator."})
		return
	}
	p.Page.Render(w, r, http.StatusOK, "fleet/integration", formShown{Heading: "Add " + p.Kind.Title + " integration", Kind: kind, New: true, Interval: "5m"})
}

func (p *pages) edit(w http.ResponseWriter, r *http.Request, d view.Document) {
	f := formShown{
		Heading: d.Text("name"), Kind: p.Kind.Name, Document: d, Host: host(d), Interval: interval(d),
		Token:    secretShown{Set: d.SecretSet("credentials.api_token"), File: d.Text("credentials.api_token_file")},
		Next:     secretShown{Set: d.SecretSet("credentials.api_token_next")},
		Key:      secretShown{Set: d.SecretSet("credentials.private_key"), File: d.Text("credentials.private_key_file")},
		Password: secretShown{Set: d.SecretSet("credentials.proxy_password")},
		ReadOnly: d.Static || !access.From(r.Context()).Role.May(access.RoleAdmin),
	}
	f.Token.Sealed, f.Key.Sealed = d.Sealed && f.Token.Set, d.Sealed && f.Key.Set
	if d.SecretSet("credentials.sealed") { // of which kind it is is not known here
		f.Token.Set, f.Token.Sealed = true, true
	}
	if f.Heading == "" {
		f.Heading = d.Instance
	}
	fleet := p.View.Fleet()
	i, ok := fleet.Of(d.Instance)
	f.Tile, f.Away = tile{Integration: i}, fleet.Away
	if !ok {
		f.Tile = blank()
		f.Tile.Instance = d.Instance
	}
	var err error
	if f.Log, err = p.View.Log(r.Context(), d.Instance); err != nil {
		p.Log.Warn("console: the changes of an integration can't be read", "instance", d.Instance, "err", err)
	}
	f.Newest = p.newestOf(r.Context(), d.Instance)
	p.Page.Render(w, r, http.StatusOK, "fleet/integration", f)
}

// host is what the field FQDN shows: the URL of requests where there is no host name.
func host(d view.Document) string {
	if fqdn := d.Text("settings.fqdn"); fqdn != "" {
		return fqdn
	}
	return d.Text("settings.base_url")
}

// interval is what the field Polling Interval shows.
func interval(d view.Document) string {
	if every := d.Text("poll_interval"); every != "" {
		return every
	}
	if minutes := d.Text("poll_interval_minutes"); minutes != "" {
		return minutes + "m"
	}
	return ""
}

// Past is a change in words: changed Name from "a" to "b".
func (f formShown) Past(c buckets.Change) string {
	if c.Action != buckets.ActionChanged {
		return c.Action
	}
	parts := make([]string, len(c.Fields))
	for n, field := range c.Fields {
		parts[n] = fieldChange(field)
	}
	return strings.Join(parts, "; ")
}

func fieldChange(c buckets.FieldChange) string {
	name := label(c.Field)
	switch {
	case c.From == nil && c.To == nil:
		return name + " changed"
	case c.From == nil:
		return fmt.Sprintf("%s: %v", name, c.To)
	case c.To == nil:
		return fmt.Sprintf("%s removed (was %v)", name, c.From)
	}
	return fmt.Sprintf("%s from %v to %v", name, c.From, c.To)
}

// label returns a field as the form calls it.
func label(path string) string {
	names := map[string]string{
		"name": "Name", "settings.fqdn": "FQDN", "settings.base_url": "FQDN", "credentials.api_token": "API Token", "credentials.api_token_file": "API Token file", "credentials.api_token_next": "Next Token",
		"credentials.client_id": "Client ID", "credentials.key_id": "Key ID", "credentials.private_key": "Private Key", "credentials.private_key_file": "Private Key File",
		"poll_interval": "Polling Interval", "poll_interval_minutes": "Polling Interval", "enabled": "Enabled", "settings.since": "Look-back",
		"settings.filter": "Filter", "settings.rate_share": "Share of the rate limit", "settings.limit": "Page size", "settings.proxy": "Proxy", "settings.ca_file": "CA File", "credentials.proxy_password": "Proxy Password", "instance": "Instance",
	}
	if name, ok := names[path]; ok {
		return name
	}
	return path
}

package fleetpages

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
	"github.com/witfoo/signal-client/cmd/signal-client/console/page"
	"github.com/witfoo/signal-client/cmd/signal-client/console/view"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/orgs"
	"github.com/witfoo/signal-client/pipeline"
	"github.com/witfoo/signal-client/sink/buckets"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/overview"
	"github.com/witfoo/signal-client/sink/scan"
)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'`

// picture is a View that stands still.
type picture struct {
	fleet     *view.Fleet
	documents map[string]view.Document
	err       error
}

func (p picture) Fleet() *view.Fleet { return p.fleet }

func (p picture) Document(_ context.Context, instance string) (view.Document, error) {
	d, ok := p.documents[instance]
	if !ok && p.err == nil {
		return d, fmt.Errorf("%s: %w", instance, orgs.ErrNotFound)
	}
	return d, p.err
}

func (p picture) Log(context.Context, string) ([]buckets.Change, error) {
	return []buckets.Change{
		{Who: hostile, Via: "oidc", At: time.Now(), Action: buckets.ActionChanged, Fields: []buckets.FieldChange{{Field: "name", From: "old", To: hostile}, {Field: "credentials.api_token", To: "changed"}}},
		{Who: "root@host", Via: "cli", At: time.Now(), Action: buckets.ActionCreated},
	}, nil
}

// integration is one in a state, every text of which is hostile if name is.
func integration(instance, name string, s pipeline.State) view.Integration {
	return view.Integration{
		Status: pipeline.Status{
			Instance: instance, State: s, Holder: name, LastPoll: time.Now(), UpdatedAt: time.Now(), CompleteThrough: time.Now(), LastError: name, StateSince: time.Now(),
			LastEvent: &pipeline.LastEvent{UUID: name, Published: name}, RateLimit: &pipeline.RateLimit{Limit: 600, Remaining: 540},
		},
		Name: name, Org: name, Remedy: name, Class: view.ClassOf(s), Hour: []uint32{0, 3, 9}, LastHour: 1204, DeadLetters: 2,
	}
}

func fleetOf(all ...view.Integration) *view.Fleet {
	f := &view.Fleet{Complete: true, Integrations: all, PerSecond: []float64{0, 2, 1}, Replicas: []overview.Share{{Replica: hostile, Orgs: 1, Share: 1, Declines: []string{hostile}}}}
	for _, s := range view.States() {
		c := view.StateCount{State: s, Class: view.ClassOf(s)}
		for _, i := range all {
			if i.State == s {
				c.Count++
			}
		}
		if c.Count > 0 {
			f.States = append(f.States, c)
		}
	}
	return f
}

func documentOf(instance, name string) view.Document {
	return view.Document{Instance: instance, Revision: 7, Value: orgs.Value{
		"name": name, "enabled": true, "poll_interval": "5m",
		"settings":    map[string]any{"fqdn": "acme.okta.com", "filter": name},
		"credentials": map[string]any{"api_token": map[string]any{"set": true}},
	}}
}

// request sends one to the pages, as a user of that role.
func request(t *testing.T, v View, role access.Role, path string) *httptest.ResponseRecorder {
	t.Helper()
	r, err := page.New(page.Config{Contents: []page.Content{Content}, Version: "v1", Search: true})
	if err != nil {
		t.Fatal(err)
	}
	newest := func(_ context.Context, instance string) (*scan.Stored, error) {
		if instance == "silent" {
			return nil, fmt.Errorf("read: %w", jets.ErrNoMessage)
		}
		return &scan.Stored{
			Kind: kinds.Default, Instance: instance, Seq: 4711, At: time.Now(), Header: nats.Header{"ce-type": {"com.okta." + hostile}},
			Data: []byte(`{"uuid":"u","actor":{"type":"User","alternateId":` + quoted(hostile) + `},"client":{"ipAddress":"198.51.100.7"},"outcome":{"result":"SUCCESS"}}`),
		}, nil
	}
	h := New(Config{View: v, Kind: kinds.Default, Newest: newest, Page: r})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(access.WithUser(t.Context(), access.User{Name: "ann", Role: role}), "GET", path, nil))
	return w
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func get(t *testing.T, v View, role access.Role, path string) document {
	t.Helper()
	w := request(t, v, role, path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d: %s", path, w.Code, w.Body)
	}
	return parse(t, w.Body.String())
}

const list = "/admin/settings/integrations"

var some = picture{
	fleet: fleetOf(integration("bad", "Bad Org", pipeline.StateRefused), integration("slow", "Slow Org", pipeline.StateRetrying), integration("acme", "Acme Production", pipeline.StatePolling)),
	documents: map[string]view.Document{
		"acme": documentOf("acme", "Acme Production"), "evil": documentOf("evil", hostile), "silent": documentOf("silent", ""),
		"static": {Instance: "static", Static: true, Value: orgs.Value{"settings": map[string]any{"base_url": "http://127.0.0.1:8080"}}},
	},
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		path    string
		heading string
		named   []string // role and accessible name
	}{
		{"/", "Fleet", []string{"link All integrations"}},
		{list, "Integrations", []string{
			"button Add Integration", "menuitem Okta", "button Import CSV", "article Acme Production", "article Bad Org", "searchbox Search integrations", "link Acme Production",
		}},
		{list + "/new?type=okta", "Add Okta integration", []string{
			"textbox Name", "textbox FQDN", "textbox API Token", "textbox Client ID", "textbox Key ID", "textbox Private Key", "textbox Private Key File", "textbox Polling Interval", "checkbox Enabled", "textbox Look-back", "textbox Filter",
			"spinbutton Share of the rate limit", "spinbutton Page size", "textbox Instance", "button Test Connection", "button Save", "list Connection test",
		}},
		{list + "/acme", "Acme Production", []string{"textbox Name", "textbox FQDN", "textbox API Token", "textbox Polling Interval", "checkbox Enabled", "button Test Connection", "button Save", "button Delete", "list Connection test"}},
		{list + "/silent", "silent", []string{"button Save"}},
	} {
		d := get(t, some, access.RoleAdmin, c.path)
		if got := d.headings(1); len(got) != 1 || got[0] != c.heading {
			t.Errorf("%s: headings %q, want %q", c.path, got, c.heading)
		}
		names := d.names()
		for _, want := range c.named {
			if names[want] != 1 {
				t.Errorf("%s has %d of %q: %v", c.path, names[want], want, names)
			}
		}
	}
}

// Each tile has an element of role status whose text begins with the state.
func TestTileStatus(t *testing.T) {
	d := get(t, some, access.RoleViewer, list)
	for name, state := range map[string]string{"Acme Production": "polling", "Bad Org": "credential refused", "Slow Org": "retrying"} {
		tile := d.named("article", name)
		if tile == nil {
			t.Fatalf("no tile of %s", name)
		}
		var said []string
		tile.each(func(n document) {
			if n.attr("role") == "status" {
				said = append(said, n.text())
			}
		})
		if len(said) != 1 || !strings.HasPrefix(said[0], state) {
			t.Errorf("%s: status %q, want one that begins with %q", name, said, state)
		}
		if !strings.Contains(tile.text(), "540 of 600 left") || !strings.Contains(tile.text(), "1,204 events in the last hour") {
			t.Errorf("%s: tile %q", name, tile.text())
		}
	}
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		query string
		shown []string
	}{
		{"", []string{"Bad Org", "Slow Org", "Acme Production"}},
		{"?state=retrying&state=polling", []string{"Slow Org", "Acme Production"}},
		{"?state=credential-refused", []string{"Bad Org"}},
		{"?q=ACME+pro", []string{"Acme Production"}},
		{"?q=acme&state=retrying", nil},
	} {
		var shown []string
		d := get(t, some, access.RoleViewer, list+c.query)
		d.each(func(n document) {
			if n.Data == "article" && !n.within("template") && !n.has("hidden") {
				shown = append(shown, n.find(func(n document) bool { return n.Data == "h2" }).text())
			}
		})
		if strings.Join(shown, ",") != strings.Join(c.shown, ",") {
			t.Errorf("%q shows %q, want %q", c.query, shown, c.shown)
		}
	}
}

// Whatever an org, a replica or a user is called is text.
func TestHostileText(t *testing.T) {
	all := []view.Integration{}
	for n, s := range view.States() {
		all = append(all, integration(fmt.Sprintf("i%d", n), hostile, s))
	}
	evil := picture{fleet: fleetOf(append(all, integration("evil", hostile, pipeline.StatePolling))...), documents: some.documents}
	evil.fleet.Away, evil.fleet.Index.Trouble, evil.fleet.Index.Remedy = hostile, hostile, hostile
	for _, path := range []string{"/", list, list + "?q=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", list + "/evil", list + "/%22%3E%3Cscript%3Ealert(1)", list + "/new?type=%3Cscript%3Ealert(1)%3C/script%3E"} {
		body := request(t, evil, access.RoleAdmin, path).Body.String()
		parse(t, body).each(func(n document) {
			if n.Data == "script" && !strings.HasPrefix(n.attr("src"), "/static/") || n.Data == "img" || n.Data == "style" {
				t.Errorf("%s has an element %s: %v", path, n.Data, n.Attr)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("%s has the attribute %s=%q", path, a.Key, a.Val)
				}
			}
		})
	}
	if d := get(t, evil, access.RoleAdmin, list+"/evil"); d.headings(1)[0] != hostile || d.named("textbox", "Name").attr("value") != hostile {
		t.Errorf("the page doesn't show the name as it is: %q", d.headings(1))
	}
}

// A viewer sees no button that he may not press, and no field to write in.
func TestViewer(t *testing.T) {
	for _, path := range []string{"/", list, list + "/acme", list + "/static"} {
		role := access.RoleViewer
		if path == list+"/static" {
			role = access.RoleAdmin // nobody changes here what a service's environment configures
		}
		for name := range get(t, some, role, path).names() {
			for _, no := range []string{"button Add Integration", "menuitem Okta", "button Import CSV", "button Save", "button Test Connection", "button Delete", "textbox API Token"} {
				if name == no {
					t.Errorf("%s shows %s", path, name)
				}
			}
		}
	}
	for _, path := range []string{list + "/acme", list + "/static"} {
		get(t, some, access.RoleViewer, path).each(func(n document) {
			if n.Data == "input" && !n.has("readonly") && !n.has("disabled") {
				t.Errorf("%s: a viewer may write in %s", path, n.attr("id"))
			}
		})
	}
	if w := request(t, some, access.RoleViewer, list+"/new?type=okta"); w.Code != http.StatusForbidden {
		t.Errorf("a viewer gets the form: %d", w.Code)
	}
}

// The stored token is in no page.
func TestTokenIsNotShown(t *testing.T) {
	d := get(t, some, access.RoleAdmin, list+"/acme")
	token := d.named("textbox", "API Token")
	if token.has("value") || token.attr("type") != "password" || !strings.Contains(d.text(), "A token is set") {
		t.Errorf("the field of the token: %v", token.Attr)
	}
}

func TestFirstRun(t *testing.T) {
	none := picture{fleet: fleetOf()}
	for role, want := range map[access.Role]int{access.RoleAdmin: 1, access.RoleViewer: 0} {
		d := get(t, none, role, "/")
		if got := d.names()["button Add Integration"]; got != want || !strings.Contains(d.text(), "No org is connected yet") {
			t.Errorf("%s: %d buttons, want %d: %s", role, got, want, d.text())
		}
	}
	for path, words := range map[string]string{"/": "Reading the fleet", list: "Reading the integrations"} {
		d := get(t, picture{fleet: &view.Fleet{}}, access.RoleAdmin, path)
		empty := d.find(func(n document) bool { return n.has("data-empty") })
		if !strings.Contains(d.text(), words) || empty == nil && strings.Contains(d.text(), "No org is connected yet") || empty != nil && !empty.has("hidden") {
			t.Errorf("%s: a fleet that is not read yet is called empty", path)
		}
	}
}

func TestErrorPages(t *testing.T) {
	for _, c := range []struct {
		v      picture
		path   string
		status int
		words  string
	}{
		{some, list + "/nobody", 404, "No integration is named nobody"},
		{some, list + "/new?type=auth0", 404, "no such type"},
		{some, list + "/", 301, list},
		{some, "/nowhere", 404, "There is no such page"},
		{picture{fleet: fleetOf(), err: nats.ErrTimeout}, list + "/acme", 503, "NATS is not connected"},
	} {
		w := request(t, c.v, access.RoleAdmin, c.path)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.words) {
			t.Errorf("%s: %d, want %d with %q", c.path, w.Code, c.status, c.words)
		}
	}
}

func TestNewest(t *testing.T) {
	var e eventShown
	w := request(t, some, access.RoleViewer, list+"/acme/newest")
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Seq != 4711 || e.Type != hostile || !strings.Contains(e.Actor, hostile) || e.From != "198.51.100.7" || e.Result != "SUCCESS" {
		t.Errorf("got %+v, %v", e, err)
	}
	if got := strings.TrimSpace(request(t, some, access.RoleViewer, list+"/silent/newest").Body.String()); got != "null" {
		t.Errorf("without an event: %s", got)
	}
}

func TestClean(t *testing.T) {
	for pasted, want := range map[string]string{
		"https%3A%2F%2FAcme-admin.okta.com%2Fadmin%2Fdashboard": `{"host":"acme.okta.com"}`,
		"%20ACME.okta.com%20":              `{"host":"acme.okta.com"}`,
		"http%3A%2F%2F127.0.0.1%3A8080%2F": `{"host":"http://127.0.0.1:8080"}`,
	} {
		if got := strings.TrimSpace(request(t, some, access.RoleViewer, list+"/new/clean?fqdn="+pasted).Body.String()); got != want {
			t.Errorf("%s: %s, want %s", pasted, got, want)
		}
	}
	if got := request(t, some, access.RoleViewer, list+"/new/clean?fqdn=acme").Body.String(); !strings.Contains(got, "acme.okta.com") || !strings.Contains(got, `"wrong":"This `) {
		t.Errorf("half a host name: %s", got)
	}
}

func TestSegments(t *testing.T) {
	f := fleetOf(integration("a", "a", pipeline.StateRefused))
	f.States = append(f.States, view.StateCount{State: pipeline.StatePolling, Count: 999})
	all := segments(f.States)
	if all[0].From != "0.00%" || all[0].Width != "2.60%" || all[1].From != "2.60%" || all[1].Width != "97.41%" {
		t.Errorf("segments %+v", all)
	}
}

func TestCharts(t *testing.T) {
	if c := chartOf([]float64{0, 12.34, 6.17}); c.Line != "M0 98.0L1 4.0L2 51.0" || c.Area != "M0 98.0L1 4.0L2 51.0L2 100L0 100Z" || c.Width != 2 || c.Now != "6.17" || c.Most != "12.3" {
		t.Errorf("chart %+v", c)
	}
	if c := chartOf([]float64{0, 0}); c.Line != "M0 98.0L1 98.0" || c.Now != "0" {
		t.Errorf("chart of nothing %+v", c)
	}
	if got, want := bars([]uint32{0, 4, 1000}), "M1.1 20v-1.5h.8v1.5zM2.1 20v-20.0h.8v20.0z"; got != want {
		t.Errorf("bars %s, want %s", got, want)
	}
}

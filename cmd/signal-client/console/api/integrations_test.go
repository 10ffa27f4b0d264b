package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/witfoo/signal-client/cmd/signal-client/console/access"
)

// An integration is created, read, changed, replaced and removed; secrets stay unless they
// are changed, and each change is kept with its author.
func TestIntegrations(t *testing.T) {
	f := newFixture(t)
	if r := f.want(200, "GET", "/api/v1/integrations", ""); strings.TrimSpace(string(r.body)) != "[]" {
		t.Errorf("without any: %s", r.body)
	}
	r := f.want(201, "POST", "/api/v1/integrations", `{"instance":"acme","name":"Acme","settings":{"fqdn":" https://ACME-admin.okta.com/admin/dashboard "},"credentials":{"api_token":"s3cret"}}`)
	if r.Header.Get("Location") != "/api/v1/integrations/acme" || r.member("settings.fqdn") != "acme.okta.com" || r.member("credentials.api_token.set") != true ||
		r.member("enabled") != true || r.member("poll_interval") != "5m" || r.member("settings.limit") != 999.0 || r.member("origin") != "https://acme.okta.com" {
		t.Errorf("created: %s", r.body)
	}
	tag := r.Header.Get("ETag")
	r = f.want(200, "GET", "/api/v1/integrations/acme", "")
	if r.Header.Get("ETag") != tag || tag == "" {
		t.Errorf("tag %s, and %s", tag, r.Header.Get("ETag"))
	}
	whole := string(r.body)

	r = f.want(200, "PATCH", "/api/v1/integrations/acme", `{"poll_interval":"1m","credentials":{"api_token":""}}`, "If-Match", tag)
	if r.member("poll_interval") != "1m" || r.Header.Get("ETag") == tag {
		t.Errorf("changed: %s", r.body)
	}
	f.want(200, "PUT", "/api/v1/integrations/acme", strings.Replace(whole, `"Acme"`, `"Acme Inc."`, 1))
	stored := f.stored("acme")
	if stored["name"] != "Acme Inc." || stored["poll_interval"] != "5m" || stored["credentials"].(map[string]any)["api_token"] != "s3cret" || stored["revision"] != nil || stored["instance"] != nil {
		t.Errorf("stored is %v", stored)
	}

	f.want(204, "DELETE", "/api/v1/integrations/acme", "")
	f.want(404, "GET", "/api/v1/integrations/acme", "")
	r = f.want(200, "GET", "/api/v1/integrations/acme/changes", "")
	var changes []struct{ Who, Via, Action string }
	if err := json.Unmarshal(r.body, &changes); err != nil || len(changes) != 4 || changes[0].Action != "removed" || changes[3].Action != "created" || changes[0].Who != "ann" || changes[0].Via != "password" {
		t.Errorf("changes are %s", r.body)
	}
	f.want(404, "GET", "/api/v1/integrations/nobody/changes", "")
	f.want(404, "GET", "/api/v1/integrations/nobody/history", "")
}

// What gives no name gets one from its host.
func TestCreateNamesTheInstance(t *testing.T) {
	f := newFixture(t)
	for _, want := range []string{"acme", "acme-2", "acme-3"} {
		r := f.want(201, "POST", "/api/v1/integrations", `{"name":"A","settings":{"fqdn":"acme.okta.com"},"credentials":{"api_token":"s3cret"}}`)
		if r.member("instance") != want {
			t.Errorf("named %v, want %s", r.member("instance"), want)
		}
	}
}

// A wrong value is refused with its field, its cause and what to do.
func TestWrongValues(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	for _, c := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "", `{"settings":{"fqdn":"acme"},"credentials":{"api_token":"s3cret"}}`, 422, "settings.fqdn"},
		{"POST", "", `{"settings":{"fqdn":"b.okta.com"}}`, 422, "credentials.api_token"},
		{"POST", "", `{"settings":{"fqdn":"user:s3cret@b.okta.com"},"credentials":{"api_token":"t"}}`, 422, "settings.fqdn"},
		{"POST", "", `{"instance":"No Slug","settings":{"fqdn":"b.okta.com"},"credentials":{"api_token":"t"}}`, 422, "instance"},
		{"POST", "", `{"instance":7,"settings":{"fqdn":"b.okta.com"},"credentials":{"api_token":"t"}}`, 422, "instance"},
		{"POST", "", `{"settings":{"fqdn":"b.okta.com","limit":5000},"credentials":{"api_token":"t"}}`, 422, "settings.limit"},
		{"POST", "", `{"poll_interval":"soon","settings":{"fqdn":"b.okta.com"},"credentials":{"api_token":"t"}}`, 422, "poll_interval"},
		{"POST", "", `{"instance":"acme","settings":{"fqdn":"b.okta.com"},"credentials":{"api_token":"t"}}`, 409, "instance"},
		{"POST", "", `[]`, 400, ""},
		{"POST", "", `{} {}`, 400, ""},
		{"POST", "", `{"settings":`, 400, ""},
		{"PATCH", "/acme", `{"instance":"other"}`, 422, "instance"},
		{"PATCH", "/acme", `{"settings":{"rate_share":2}}`, 422, "settings.rate_share"},
		{"PUT", "/nobody", `{"settings":{"fqdn":"b.okta.com"}}`, 404, "instance"},
		{"DELETE", "/nobody", ``, 404, "instance"},
	} {
		r := f.want(c.status, c.method, "/api/v1/integrations"+c.path, c.body)
		if field, _ := r.member("field").(string); field != c.field || r.member("cause") == nil || r.member("status") != float64(c.status) || r.member("remedy") == nil {
			t.Errorf("%s %s %s: %s", c.method, c.path, c.body, r.body)
		}
	}
	if r := f.want(422, "POST", "/api/v1/integrations", `{"settings":{"fqdn":"acme","limit":0}}`); len(r.member("errors").([]any)) != 3 {
		t.Errorf("all that is wrong: %s", r.body)
	}
	f.want(415, "POST", "/api/v1/integrations", f.acme("t"), "Content-Type", "text/plain")
	f.want(413, "POST", "/api/v1/integrations", `{"name":"`+strings.Repeat("x", mostBody)+`"}`)
}

// Who edits an older revision is told what others changed since, whoever wrote it.
func TestSecondIsToldWhatChanged(t *testing.T) {
	f := newFixture(t)
	tag := f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret")).Header.Get("ETag")
	f.user.Name = "bob"
	f.want(200, "PATCH", "/api/v1/integrations/acme", `{"poll_interval":"2m","credentials":{"api_token":"s3cret-too"}}`, "If-Match", tag)
	f.user.Name = "ann"
	for _, method := range []string{"PATCH", "PUT", "DELETE"} {
		body := f.acme("mine")
		if method == "DELETE" {
			body = ""
		}
		r := f.want(412, method, "/api/v1/integrations/acme", body, "If-Match", tag)
		changes, _ := json.Marshal(r.member("changes"))
		if text := string(changes); !strings.Contains(text, `"who":"bob"`) || !strings.Contains(text, `{"field":"poll_interval","from":"1m","to":"2m"}`) ||
			!strings.Contains(text, `{"field":"credentials.api_token","to":"changed"}`) || r.Header.Get("ETag") == tag || r.member("revision") == nil {
			t.Errorf("%s: tag %s: %s", method, r.Header.Get("ETag"), r.body)
		}
	}
	// Somebody writes by other means: it is compared with the edited revision.
	tag = f.want(200, "GET", "/api/v1/integrations/acme", "").Header.Get("ETag")
	kv, err := f.store.Conn.JS.KeyValue(t.Context(), "INTEGRATIONS")
	if err == nil {
		_, err = kv.Put(t.Context(), "okta.acme", []byte(f.acme("s3cret-too")))
	}
	if err != nil {
		t.Fatal(err)
	}
	r := f.want(412, "PATCH", "/api/v1/integrations/acme", `{"name":"Mine"}`, "If-Match", tag)
	if changes, _ := json.Marshal(r.member("changes")); !strings.Contains(string(changes), `{"field":"poll_interval","from":"2m","to":"1m"}`) {
		t.Errorf("changed without a record: %s", r.body)
	}
	f.want(412, "PATCH", "/api/v1/integrations/acme", `{"name":"Mine"}`, "If-Match", `"x"`)
	f.want(200, "PATCH", "/api/v1/integrations/acme", `{"name":"Mine"}`, "If-Match", "*")
}

// Edits that name no revision are made one after another, and none is lost.
func TestEditsAtOnce(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	var wg sync.WaitGroup
	for _, edit := range []string{`{"name":"New"}`, `{"poll_interval":"7m"}`, `{"enabled":false}`} {
		wg.Go(func() { f.ask("PATCH", "/api/v1/integrations/acme", edit) })
	}
	wg.Wait()
	if v := f.stored("acme"); v["name"] != "New" || v["poll_interval"] != "7m" || v["enabled"] != false {
		t.Errorf("stored is %v", v)
	}
}

// A stored secret is not sent to another host, neither by a test nor after saving.
func TestSecretStaysWithItsHost(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	elsewhere := `{"settings":{"fqdn":"evil.example.com"}}`
	for _, r := range []reply{
		f.want(422, "PATCH", "/api/v1/integrations/acme", elsewhere),
		f.want(422, "PUT", "/api/v1/integrations/acme", elsewhere),
		f.want(422, "POST", "/api/v1/integrations/test", `{"instance":"acme","settings":{"fqdn":"evil.example.com"},"credentials":{"api_token":{"set":true}}}`),
	} {
		if r.member("field") != "credentials.api_token" {
			t.Errorf("refused with %s", r.body)
		}
	}
	f.want(200, "PATCH", "/api/v1/integrations/acme", `{"settings":{"fqdn":"acme.example.com"},"credentials":{"api_token":"new"}}`)
	f.want(200, "PATCH", "/api/v1/integrations/acme", `{"credentials":{"api_token_file":"/run/secrets/acme"}}`)
	if r := f.want(422, "PATCH", "/api/v1/integrations/acme", elsewhere); r.member("field") != "credentials.api_token_file" {
		t.Errorf("refused with %s", r.body)
	}
	r := f.want(200, "POST", "/api/v1/integrations/import?replace=true", "instance,fqdn\nacme,evil.example.com\n", "Content-Type", "text/csv")
	if !strings.Contains(string(r.body), `"result":"wrong"`) || fmt.Sprint(f.stored("acme")["settings"]) != "map[fqdn:acme.example.com]" {
		t.Errorf("imported: %s", r.body)
	}
	f.want(200, "POST", "/api/v1/integrations/import?replace=true", "instance,fqdn,api_token\nacme,other.example.com,new\n", "Content-Type", "text/csv")

	// What another writer made invalid has its secret, too.
	f.put("acme", `{"enabled":true,"poll_interval":"no","settings":{"fqdn":"acme.example.com"},"credentials":{"api_token":"s3cret"}}`)
	f.want(422, "PATCH", "/api/v1/integrations/acme", `{"poll_interval":"5m","settings":{"fqdn":"evil.example.com"}}`)
	f.want(422, "POST", "/api/v1/integrations/test", `{"instance":"acme","poll_interval":"5m","settings":{"fqdn":"evil.example.com"}}`)
	f.want(200, "PATCH", "/api/v1/integrations/acme", `{"poll_interval":"5m"}`)
}

// A name in a path is one name: no wildcard of NATS, which would be all integrations, and
// nothing that ends the connection.
func TestNameIsOneName(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	lost := f.store.Conn.NATS.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	for _, name := range []string{"*", "%3e", "a.*", "acme%20", strings.Repeat("a", 8000), strings.Repeat("a.", 4000), "acme%0d%0aPUB%20x"} {
		path := "/api/v1/integrations/" + name
		f.want(404, "GET", path, "")
		f.want(404, "PATCH", path, `{"enabled":false}`)
		f.want(404, "DELETE", path, "")
		f.want(404, "GET", path+"/history", "")
		f.want(404, "GET", path+"/changes", "")
		if status := f.ask("POST", "/api/v1/integrations/test", fmt.Sprintf(`{"instance":%q}`, name)).StatusCode; status < 400 {
			t.Errorf("test of %.20s: %d", name, status)
		}
	}
	f.stored("acme")
	select {
	case status := <-lost:
		t.Errorf("the connection to NATS is %v", status)
	default:
	}
}

// A viewer reads, and changes nothing.
func TestViewer(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", f.acme("s3cret"))
	f.user.Role = access.RoleViewer
	a := &api{Config: Config{}}
	for _, r := range a.routes() {
		path := strings.NewReplacer("{instance}", "acme", "{seq}", "1", "{id}", "x").Replace(root + r.path)
		if r.path == "/status/stream" {
			continue // it does not end
		}
		status := f.ask(r.method, path, map[bool]string{true: "{}"}[r.method != "GET"]).StatusCode
		if r.admin != (status == 403) {
			t.Errorf("%s %s: %d", r.method, path, status)
		}
		if r.method != "GET" && !r.admin {
			t.Errorf("%s %s is not for admins only", r.method, path)
		}
	}
	f.user = access.User{}
	f.want(403, "DELETE", "/api/v1/integrations/acme", "")
}

// An import is previewed row by row; nothing is written while a row is wrong.
func TestImport(t *testing.T) {
	f := newFixture(t)
	f.want(201, "POST", "/api/v1/integrations", `{"instance":"old","settings":{"fqdn":"old.okta.com"},"credentials":{"api_token":"s3cret"}}`)
	rows := func(path, body string) string {
		t.Helper()
		r := f.want(200, "POST", "/api/v1/integrations/import"+path, body, "Content-Type", "text/csv")
		var doc struct {
			Rows []struct {
				Place, Instance, Result string
				Wrong                   []struct{ Field string }
			}
		}
		if err := json.Unmarshal(r.body, &doc); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(doc.Rows)
	}
	good := "instance,fqdn,api_token\na,a.okta.com,s3cret\nb,b.okta.com,s3cret\n"
	if got, want := rows("?preview=true", good), "[{line 2 a created []} {line 3 b created []}]"; got != want {
		t.Errorf("preview: %s", got)
	}
	f.want(404, "GET", "/api/v1/integrations/a", "")
	if got, want := rows("", good+"c,c,s3cret\nold,old.okta.com,s3cret\n"), "[{line 2 a created []} {line 3 b created []} {line 4 c wrong [{settings.fqdn}]} {line 5 old wrong [{instance}]}]"; got != want {
		t.Errorf("with wrong rows: %s", got)
	}
	f.want(404, "GET", "/api/v1/integrations/a", "")
	rows("", good)
	f.want(200, "GET", "/api/v1/integrations/b", "")
	if got, want := rows("?replace=true", good+"old,old.okta.com,other\n"), "[{line 2 a unchanged []} {line 3 b unchanged []} {line 4 old changed []}]"; got != want {
		t.Errorf("again: %s", got)
	}
	pasted := f.want(200, "POST", "/api/v1/integrations/import?preview=true", "instance,fqdn,api_token\nd, HTTPS://D-admin.okta.com/admin ,s3cret\n", "Content-Type", "text/csv")
	if !strings.Contains(string(pasted.body), `"org":"d.okta.com","result":"created"`) {
		t.Errorf("a pasted address: %s", pasted.body)
	}
	again := f.want(200, "POST", "/api/v1/integrations/import?preview=true", good, "Content-Type", "text/csv")
	if !strings.Contains(string(again.body), "replace=true") || strings.Contains(string(again.body), "--replace") {
		t.Errorf("rows that exist: %s", again.body)
	}
	f.want(422, "POST", "/api/v1/integrations/import", "a,b\n", "Content-Type", "text/csv")
}

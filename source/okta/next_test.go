package okta

import (
	"net/http"
	"strings"
	"testing"

	"github.com/witfoo/signal-client/pipeline"
)

const acme = "https://acme.okta.com"

func TestNext(t *testing.T) {
	const want = "/api/v1/logs?limit=20&after=1627500044869_1"
	const next = "<" + acme + want + ">"
	const self = `<https://acme.okta.com/api/v1/logs?limit=20>; rel="self"`
	for _, test := range []struct {
		name   string
		values []string
		want   pipeline.Link
	}{
		{"two headers", []string{self, next + `; rel="next"`}, want},
		{"no links", nil, ""},
		{"self alone", []string{self}, ""},
		{"verbatim", []string{`<` + acme + `/api/v1/logs?filter=severity+ge+%22INFO%22%26&x=%zz&after=a%2Fb>; rel="next"`},
			"/api/v1/logs?filter=severity+ge+%22INFO%22%26&x=%zz&after=a%2Fb"},
		{"relative", []string{`</api/v1/logs?after=1>; rel="next"`}, "/api/v1/logs?after=1"},
		{"a query alone", []string{`<?after=1>; rel="next"`}, "/api/v1/logs?after=1"},
		{"without a scheme", []string{`<//acme.okta.com/api/v1/logs?after=1>; rel="next"`}, "/api/v1/logs?after=1"},
		{"a colon in the query", []string{`</api/v1/logs?since=10:00>; rel="next"`}, "/api/v1/logs?since=10:00"},
		{"no query", []string{`<` + acme + `/api/v1/logs>; rel=next`}, "/api/v1/logs"},
		{"fragment", []string{`<` + acme + `/api/v1/logs?after=1#top>; rel=next`}, "/api/v1/logs?after=1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Client{Origin: acme}
			got, err := c.next(test.values)
			if err != nil || got != test.want {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestNextHost(t *testing.T) {
	const path = "/api/v1/logs?after=1"
	for target, ok := range map[string]bool{
		"https://acme.okta.com" + path:              true,
		"https://ACME.Okta.com" + path:              true,
		"https://acme.okta.com." + path:             true,
		"https://acme.okta.com:443" + path:          true,
		"http://acme.okta.com" + path:               true,
		"HTTPS://login.example.com" + path:          true,
		"https://eu.example.com:8443" + path:        true,
		"https://acme.oktapreview.com" + path:       true,
		"https://acme.okta-emea.com" + path:         true,
		"https://acme.okta-gov.com" + path:          true,
		"https://acme.okta.mil" + path:              true,
		"https://acme.trexcloud.com" + path:         true,
		"https://acme.okta.com:8443" + path:         false,
		"https://this-is-not-okta.com" + path:       false,
		"https://okta.com.example.com" + path:       false,
		"https://eu.example.com" + path:             false,
		"https://evil.example.com" + path:           false,
		"//evil.example.com" + path:                 false,
		"https://token@acme.okta.com" + path:        false,
		"https://acme.okta.com@evil.com" + path:     false,
		`https://acme.okta.com\@evil.com` + path:    false,
		"https:" + path:                             false,
		"https://" + path:                           false,
		"https://:443" + path:                       false,
		"ftp://acme.okta.com" + path:                false,
		"javascript:alert(1)":                       false,
		"https://acme.okta.com/api/v1/users?x=1":    false,
		"https://acme.okta.com/api/v1/logs/../apps": false,
		"https://acme.okta.com/api/v1/logs/?x":      false,
		"https://acme.okta.com/api/v1/logsx?x":      false,
		"https://acme.okta.com?after=1":             false,
		"https://acme.okta.com/API/v1/logs?x":       false,
		"https://acme.okta.com" + path + " x":       false,
		"https://acme.okta.com" + path + "\x00":     false,
		"https://acme.okta.com" + path + "ü":        false,
		"logs?after=1":                              false,
		"":                                          false,
	} {
		c := &Client{Origin: acme, LinkHosts: []string{"login.example.com", "eu.example.com:8443"}}
		got, err := c.next([]string{"<" + target + `>; rel="next"`})
		if (err == nil) != ok || ok && got != path {
			t.Errorf("next link %q: %q, %v", target, got, err)
		}
		if err != nil && len(err.Error()) > 600 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
}

func TestNextOfAnOrgOnAPort(t *testing.T) {
	c := &Client{Origin: "http://127.0.0.1:8080"}
	if _, err := c.next([]string{`<http://127.0.0.1:8080/api/v1/logs>; rel=next`}); err != nil {
		t.Error(err)
	}
	_, err := c.next([]string{`<http://127.0.0.1:8081/api/v1/logs>; rel=next`})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:8081") {
		t.Errorf("a link to another port: %v", err)
	}
}

// Whatever the header says, the stored link is a path to the log that fits a request line
// as it is.
func FuzzLink(f *testing.F) {
	for _, seed := range []string{
		`<https://acme.okta.com/api/v1/logs?limit=20>; rel="self",<https://acme.okta.com/api/v1/logs?after=1>; rel="next"`,
		`</api/v1/logs?a=b,c;d>;rel=next;title="x\"y"`,
		`<//evil/api/v1/logs>; rel=next`, `<>;rel=next`, `<`, `"`, `<a>;;;`, `<a>;rel="`, `<@x>;rel=next`, `<a>; rel="\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c := &Client{Origin: acme}
		if link, err := c.next([]string{value}); err == nil && link != "" {
			if !isLogs(string(link)) {
				t.Fatalf("kept %q", link)
			}
			req, err := http.NewRequest(http.MethodGet, acme+string(link), nil)
			if err != nil {
				t.Fatalf("kept %q: %v", link, err)
			}
			if req.URL.Host != "acme.okta.com" || req.URL.User != nil || strings.TrimSuffix(req.URL.RequestURI(), "?") != strings.TrimSuffix(string(link), "?") {
				t.Fatalf("link %q is asked for as %q at %q", link, req.URL.RequestURI(), req.URL.Host)
			}
		}
	})
}

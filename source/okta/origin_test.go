package okta

import (
	"strings"
	"testing"
)

func TestParseOriginTakesWhatPeoplePaste(t *testing.T) {
	for in, want := range map[string]string{
		"acme.okta.com": "https://acme.okta.com",
		"  HTTPS://Acme.Okta.com/app/UserHome?x# ": "https://acme.okta.com",
		"acme.okta.com/":                  "https://acme.okta.com",
		"acme.okta.com.":                  "https://acme.okta.com",
		"acme.okta.com:443":               "https://acme.okta.com",
		"https://acme.okta.com:8443":      "https://acme.okta.com:8443",
		"login.example.com":               "https://login.example.com",
		"acme-admin.example.com":          "https://acme-admin.example.com",
		"acme-admin.this-is-not-okta.com": "https://acme-admin.this-is-not-okta.com",
		"this-is-not-okta.com":            "https://this-is-not-okta.com",
		"http://127.0.0.1:8080/":          "http://127.0.0.1:8080",
		"http://localhost:80":             "http://localhost",
		"http://[::1]:8080/x":             "http://[::1]:8080",
		"xn--mnchen-3ya.example":          "https://xn--mnchen-3ya.example",
	} {
		got, err := ParseOrigin(in)
		if err != nil || got != want {
			t.Errorf("ParseOrigin(%q) = %q, %v; want %q", in, got, err, want)
			continue
		}
		if again, err := ParseOrigin(got); err != nil || again != got {
			t.Errorf("ParseOrigin(%q) = %q, %v; an origin should stay as it is", got, again, err)
		}
	}
}

func TestParseOriginSaysWhatToWrite(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "write the org's host name",
		"https:///x":                     "names no host",
		"acme-admin.okta.com":            "write acme.okta.com",
		"https://ACME-admin.okta.mil/x":  "write acme.okta.mil",
		"acme-admin.oktapreview.com":     "write acme.oktapreview.com",
		"okta.com":                       "names no org",
		"me:hunter2@acme.okta.com":       "user info",
		"https://me@acme.okta.com":       "user info",
		"http://acme.okta.com":           "write https://acme.okta.com",
		"http://127.0.0.1.example.com":   "loopback hosts only",
		"http://localhost.example.com":   "loopback hosts only",
		"http://10.0.0.1":                "loopback hosts only",
		"ftp://acme.okta.com":            "write https",
		"acme okta com":                  "is not a host name",
		"acme_org.okta.com":              "is not a host name",
		"münchen.example":                "is not a host name",
		"acme.okta.com:x":                "is not a host name",
		"-admin.okta.com":                "is not a host name",
		"acme..okta.com":                 "is not a host name",
		"https://acme.okta.com%2f.evil/": "is not a host name",
	} {
		got, err := ParseOrigin(in)
		if err == nil {
			t.Errorf("ParseOrigin(%q) = %q, want an error", in, got)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("ParseOrigin(%q): %v; want it to say %q", in, err, want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseOrigin(%q): %v shows a password", in, err)
		}
	}
}

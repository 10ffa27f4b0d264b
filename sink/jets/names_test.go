package jets

import (
	"strings"
	"testing"
)

// TestNames: the names of stored things never change.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		SubjectEvents("okta", "acme-prod"):                     "signals.okta.acme-prod",
		SubjectPosition("okta", "acme-prod"):                   "signal-cursor.okta.acme-prod",
		SubjectDeadLetter("okta", "acme-prod"):                 "deadletter.okta.acme-prod",
		SubjectWake("acme-prod"):                               "signal-client.wake.acme-prod",
		SubjectAdvisory("gap", "acme-prod"):                    "signal-client.advisory.gap.acme-prod",
		BucketSubject(BucketCursors, Key("okta", "acme-prod")): "$KV.CURSORS.okta.acme-prod",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for key, want := range map[string]string{"okta.acme": "acme", "auth0.acme": "", "session.one": ""} {
		if kind, instance := (&Store{Kinds: oktaKinds}).InstanceOf(key); (kind != nil) != (want != "") || instance != want {
			t.Errorf("%s: %q of %v", key, instance, kind)
		}
	}
}

// What is no key reads as never written, and is not written.
func TestIsKey(t *testing.T) {
	for text, want := range map[string]bool{
		"okta.acme": true, "acme-prod": true, "a_b=c/d.e": true, "": false, "okta.*": false, ">": false, "okta.": false, ".okta": false,
		"okta..acme": false, "okta.a b": false, "okta.a\r\nPUB": false, strings.Repeat("a", mostKey): true, strings.Repeat("a", mostKey+1): false,
	} {
		if IsKey(text) != want {
			t.Errorf("%.40q: %v", text, !want)
		}
	}
}

package okta

import (
	"testing"
	"time"
)

// TestKindOfStoredNames: the names under which events are stored, and Okta's own facts,
// never change.
func TestKindOfStoredNames(t *testing.T) {
	if Kind.Name != "okta" || Kind.TypePrefix != "com.okta." || Kind.Retention != 90*24*time.Hour || Kind.Lateness != time.Hour {
		t.Errorf("%+v", Kind)
	}
	i, err := Kind.Read("acme", []byte(`{"settings":{"fqdn":"acme.okta.com","filter":"a eq \"b\"","limit":10},"credentials":{"api_token":"00abc"}}`))
	if err != nil || i.Kind != Kind {
		t.Fatalf("%+v, %v", i, err)
	}
	at := time.Date(2026, 11, 1, 2, 3, 4, 5e6, time.UTC)
	const asked = "&sortOrder=ASCENDING&limit=10&filter=a+eq+%22b%22"
	if got := Kind.Start(i, at); got != "/api/v1/logs?since=2026-11-01T02%3A03%3A04.005Z"+asked {
		t.Error(got)
	}
	if got := Kind.Window(i)(at, at.Add(time.Hour)); got != "/api/v1/logs?since=2026-11-01T02%3A03%3A04.005Z&until=2026-11-01T03%3A03%3A04.005Z"+asked {
		t.Error(got)
	}
	if e, err := Kind.Element([]byte(`{"uuid":"u","eventType":"t","published":"2026-11-01T02:03:04Z"}`)); err != nil || e.UUID != "u" || e.Type != "t" {
		t.Errorf("%+v, %v", e, err)
	}
	if got := Kind.Keeps(); got != "Okta keeps 90 days" {
		t.Error(got)
	}
	if got := Kind.PageSize(Kind.Start(i, at)); got != 10 {
		t.Error(got)
	}
	if got := Kind.Query(i); got != "c39b72d7d1acb453" {
		t.Error(got)
	}
}

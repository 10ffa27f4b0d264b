package simulated

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// Each org is at an address of its own and has its history, whether that is kept in memory
// or made on demand.
func TestStart(t *testing.T) {
	orgs, err := Start(t.Context(), "127.0.0.1:0", []Spec{
		{Name: "acme", Tokens: []string{"right"}, Requests: -1, History: 40, Over: time.Hour},
		{Name: "globex", Tokens: []string{"right"}, Requests: -1, History: 100_000_000, Over: 24 * time.Hour, Patterns: true},
		{Name: "hooli", Requests: -1, History: 5, Over: time.Hour, Faults: []string{"no role"}, FaultShare: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(orgs.Stop)
	for i, want := range []struct{ status, events int }{{200, 40}, {200, 1000}, {403, 0}} {
		if status, events := ask(t, orgs.Each[i].URL, "right"); status != want.status || events != want.events {
			t.Errorf("%s: status %d with %d events, want %v", orgs.Each[i].Name, status, events, want)
		}
	}
	if status, _ := ask(t, orgs.Each[0].URL, "wrong"); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: status %d", status)
	}
}

// An address that is in use is an error, and what was opened before is closed again.
func TestStartRefused(t *testing.T) {
	first, err := Start(t.Context(), "127.0.0.1:0", []Spec{{Name: "acme"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Stop)
	if orgs, err := Start(t.Context(), first.Each[0].URL[len("http://"):], []Spec{{Name: "globex"}}); err == nil {
		orgs.Stop()
		t.Error("two orgs at one address")
	}
}

// Each fault has a name of its own, by which it is found.
func TestFaultKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range FaultKinds() {
		for _, name := range kind.Faults {
			if found := faultsNamed([]string{name}); len(found) != 1 || seen[name] {
				t.Errorf("%q is the name of %d faults", name, len(found))
			}
			seen[name] = true
		}
	}
	if len(seen) < 40 {
		t.Errorf("%d faults", len(seen))
	}
}

func ask(t *testing.T, url, token string) (status, events int) {
	t.Helper()
	since := time.Now().Add(-25 * time.Hour).UTC().Format("2006-01-02T15:04:05Z")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/logs?limit=1000&since="+since, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page []json.RawMessage
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(&page)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, len(page)
}

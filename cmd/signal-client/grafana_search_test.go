package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/scan"
	"github.com/witfoo/signal-client/sink/search/searchtest"
	"github.com/witfoo/signal-client/source/okta/oktatest"
)

// securityDashboard is what of the dashboard a test reads.
type securityDashboard struct {
	Panels []struct {
		Type, Title, Description string
		Targets                  []struct{ Expr, QueryType string }
	}
}

// Every query of the security dashboard brings rows of an org's week, through the
// endpoint of VictoriaLogs that Grafana's data source asks for its type.
func TestSecurityDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(clitest.Root(t), "deployments", "grafana", "search", "security.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d securityDashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	server, err := searchtest.Start(t.TempDir(), "signal-client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	org := oktatest.New(oktatest.Config{Seed: 1})
	org.Generate(20_000, 7*24*time.Hour)
	var events []*scan.Stored
	travelled := strings.NewReplacer(`New Country=NEGATIVE`, `New Country=POSITIVE`, `\"New Country\":\"NEGATIVE\"`, `\"New Country\":\"POSITIVE\"`)
	for i, e := range org.Events() {
		data := e.Data
		if i%100 == 0 { // nobody of the simulated org travels
			data = []byte(travelled.Replace(string(data)))
		}
		events = append(events, &scan.Stored{Kind: kinds.Default, Instance: "acme", Seq: uint64(i + 1), At: e.Persisted, Data: data})
	}
	if err := server.Insert(t.Context(), kinds.Default, events); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"instant": "query", "stats": "stats_query", "statsRange": "stats_query_range"}
	asked, now := 0, time.Now()
	for _, p := range d.Panels {
		if p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("%s has no description, or no query", p.Title)
		}
		for _, target := range p.Targets {
			asked++
			q := url.Values{
				"query": {strings.ReplaceAll(target.Expr, "$instance", "acme")}, "step": {"1h"}, "limit": {"200"},
				"start": {strconv.FormatInt(now.Add(-7*24*time.Hour).Unix(), 10)}, "end": {strconv.FormatInt(now.Unix(), 10)}, "time": {strconv.FormatInt(now.Unix(), 10)},
			}
			answer, err := server.Get(t.Context(), "/select/logsql/"+paths[target.QueryType], q)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if err != nil || answer.StatusCode != 200 || bytes.Count(body, []byte(`"metric"`))+bytes.Count(body, []byte(`"_time"`)) == 0 {
				t.Errorf("%s: %s: %s %v\n%.300s", p.Title, target.Expr, answer.Status, err, body)
			}
		}
	}
	if asked < 10 {
		t.Errorf("%d queries", asked)
	}
}

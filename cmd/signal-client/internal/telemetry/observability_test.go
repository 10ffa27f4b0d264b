package telemetry

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/clitest"
)

// What the dashboards and the alerts ask for is what /metrics serves, and what
// it serves of an org is asked for by one of them.

var queried = regexp.MustCompile(`\b(signal_client_[a-z_]+|up)\b`)

// served are the names of all metrics, those of histograms with their suffixes.
func served(t *testing.T) map[string]bool {
	t.Helper()
	m := NewMetrics()
	m.WatchNATS(func() NATSFigures { return NATSFigures{} })
	m.WatchBounds(nil, nil)
	m.WatchReady(nil)
	m.WatchStreams(nil)
	m.WatchIntegrations(nil, nil)
	m.WatchSearch(nil)
	m.WatchTokens(nil)
	descs := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descs)
	close(descs)
	names := map[string]bool{"up": true}
	for d := range descs {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]
		names[name] = true
		if strings.HasSuffix(name, "_duration_seconds") {
			names[name+"_bucket"] = true
		}
	}
	return names
}

// board is what is checked of a dashboard.
type dashboard struct {
	UID        string
	Title      string
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               struct{ UID string }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct {
			Expr       string
			Datasource struct{ UID string }
		}
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(clitest.Root(t), "deployments", "grafana", "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

func TestDashboards(t *testing.T) {
	names, asked := served(t), map[string]bool{}
	for file, d := range dashboards(t) {
		seen := map[int]bool{}
		for i, p := range d.Panels {
			where := fmt.Sprintf("%s: panel %d (%s)", file, p.ID, p.Title)
			if p.ID == 0 || seen[p.ID] || p.Title == "" {
				t.Errorf("%s: its id is used twice, or it has none, or no title", where)
			}
			seen[p.ID] = true
			if p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s stands out to the right", where)
			}
			for _, q := range d.Panels[:i] {
				if p.GridPos.X < q.GridPos.X+q.GridPos.W && q.GridPos.X < p.GridPos.X+p.GridPos.W &&
					p.GridPos.Y < q.GridPos.Y+q.GridPos.H && q.GridPos.Y < p.GridPos.Y+p.GridPos.H {
					t.Errorf("%s stands over %q", where, q.Title)
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s lacks a description, a unit, a query, or the data source that is chosen", where)
			}
			for _, target := range p.Targets {
				found := queried.FindAllString(target.Expr, -1)
				if len(found) == 0 || target.Datasource.UID != "${datasource}" {
					t.Errorf("%s asks for nothing: %s", where, target.Expr)
				}
				for _, name := range found {
					asked[name] = true
					if !names[name] {
						t.Errorf("%s asks for %s, which is not served", where, name)
					}
				}
			}
		}
		for _, v := range d.Templating.List {
			for _, name := range queried.FindAllString(v.Definition, -1) {
				if !names[name] {
					t.Errorf("%s: variable %s asks for %s, which is not served", file, v.Name, name)
				}
			}
		}
	}
	unasked := []string{}
	for name := range names {
		if strings.HasPrefix(name, Namespace) && !asked[name] && !strings.HasSuffix(name, "_seconds") {
			unasked = append(unasked, name)
		}
	}
	slices.Sort(unasked)
	if want := []string{"signal_client_build_info", "signal_client_contained_panics_total", "signal_client_schema_drift_total"}; !slices.Equal(unasked, want) {
		t.Errorf("on no dashboard: %v, want only %v", unasked, want)
	}
}

var (
	alertName = regexp.MustCompile(`(?m)^ *- alert: (\S+)$`)
	runbook   = regexp.MustCompile(`runbook_url: https://github\.com/witfoo/signal-client/blob/main/(\S+)#(\S+)`)
)

// Each alert uses metrics that are served, has a test, and links to an existing section
// of a document. promtool checks the rest, if it is installed.
func TestAlerts(t *testing.T) {
	dir := filepath.Join(clitest.Root(t), "deployments", "prometheus")
	rules, err := os.ReadFile(filepath.Join(dir, "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(filepath.Join(dir, "rules_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	names := served(t)
	for line := range strings.SplitSeq(string(rules), "\n") {
		expr, is := strings.CutPrefix(strings.TrimSpace(line), "expr: ")
		for _, name := range queried.FindAllString(expr, -1) {
			if is && !names[name] {
				t.Errorf("an alert asks for %s, which is not served", name)
			}
		}
	}
	alerts := alertName.FindAllStringSubmatch(string(rules), -1)
	runbooks := runbook.FindAllStringSubmatch(string(rules), -1)
	if len(alerts) < 13 || len(runbooks) != len(alerts) {
		t.Fatalf("%d alerts, %d runbooks", len(alerts), len(runbooks))
	}
	all := clitest.Documents(t)
	for i, a := range alerts {
		if !regexp.MustCompile(`alertname: ` + a[1] + `\n +exp_alerts:\n +- exp_labels`).Match(tests) {
			t.Errorf("no test has %s fire", a[1])
		}
		if file, section := runbooks[i][1], runbooks[i][2]; !slices.Contains(clitest.Anchors(all[file]), section) {
			t.Errorf("%s leads to #%s, which %s does not have", a[1], section, file)
		}
	}
	t.Run("promtool", func(t *testing.T) { promtool(t, dir) })
}

// promtool has the rules checked and tested by it, where there is one.
func promtool(t *testing.T, dir string) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: its tests of the rules are not run (it comes with Prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "--lint=all", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}, {"check", "config", "prometheus.yaml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// The metrics that the documents name exist.
func TestDocumentsNameMetrics(t *testing.T) {
	known := served(t)
	known[Namespace+"_doctor_check_result"] = true // what doctor prints for Prometheus
	found := 0
	for path, text := range clitest.Documents(t) {
		for _, name := range namedMetric.FindAllString(text, -1) {
			found++
			if !known[name] {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d names found", found)
	}
}

var namedMetric = regexp.MustCompile(`\bsignal_client_\w+`)

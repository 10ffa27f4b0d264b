package compose

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

const deployments = "../.."

// load reads compose files together, as docker compose does with several -f.
func load(t *testing.T, env map[string]string, files ...string) *types.Project {
	t.Helper()
	details := types.ConfigDetails{WorkingDir: filepath.Join(deployments, "compose"), Environment: env}
	for _, file := range files {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: filepath.Join(details.WorkingDir, file)})
	}
	p, err := loader.LoadWithContext(t.Context(), details)
	if err != nil {
		t.Fatalf("%q: %v", files, err)
	}
	return p
}

var combinations = [][]string{
	{"compose.yaml"},
	{"compose.yaml", "simulated.yaml"},
	{"compose.yaml", "monitoring.yaml"},
	{"compose.yaml", "simulated.yaml", "monitoring.yaml"},
	{"cluster.yaml"},
	{"cluster.yaml", "monitoring.yaml"},
}

// Each container has as few rights as it needs, says whether it is well, and is reached
// from this machine only. What it keeps is in named volumes.
func TestContainers(t *testing.T) {
	t.Parallel()
	for _, files := range combinations {
		p := load(t, nil, files...)
		for name, s := range p.Services {
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || s.Privileged || len(s.CapAdd) > 0 {
				t.Errorf("%q: %s: read only %v, drops %q, options %q", files, name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
			}
			if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.Restart != "unless-stopped" {
				t.Errorf("%q: %s: health check %+v, restart %q", files, name, s.HealthCheck, s.Restart)
			}
			if strings.HasPrefix(name, "signal-client") && s.HealthCheck.Test[len(s.HealthCheck.Test)-1] != "--ready" {
				t.Errorf("%q: %s that can poll nothing is healthy", files, name)
			}
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" {
					t.Errorf("%q: %s: port %s is published on %q", files, name, port.Published, port.HostIP)
				}
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind && (!v.ReadOnly || !exists(v.Source)) {
					t.Errorf("%q: %s: %s is bound, read only: %v", files, name, v.Source, v.ReadOnly)
				}
			}
			for key, value := range s.Environment {
				if value == nil || secretName(key) {
					t.Errorf("%q: %s: %s is no file of a secret", files, name, key)
				}
			}
		}
	}
}

// secretName reports whether a variable's value is a secret. That of a simulated org is none.
func secretName(variable string) bool {
	return (strings.HasSuffix(variable, "PASSWORD") || strings.HasSuffix(variable, "TOKEN")) && variable != "OKTA_API_TOKEN"
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// prometheusConfig is what of a Prometheus configuration these files use.
type prometheusConfig struct {
	Global        map[string]string `yaml:"global"`
	RuleFiles     []string          `yaml:"rule_files"`
	ScrapeConfigs []struct {
		JobName string `yaml:"job_name"`
		DNS     []struct {
			Names   []string `yaml:"names"`
			Type    string   `yaml:"type"`
			Port    int      `yaml:"port"`
			Refresh string   `yaml:"refresh_interval"`
		} `yaml:"dns_sd_configs"`
	} `yaml:"scrape_configs"`
}

// Prometheus scrapes signal-clients that are there, at a port where they listen, as the job
// that the alerts look for, with the rules where it looks for them.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	for _, files := range [][]string{{"compose.yaml", "monitoring.yaml"}, {"cluster.yaml", "monitoring.yaml"}} {
		p := load(t, nil, files...)
		var c prometheusConfig
		decode(t, p.Configs["prometheus"].Content, &c)
		if len(c.ScrapeConfigs) != 1 || len(c.ScrapeConfigs[0].DNS) != 1 || c.ScrapeConfigs[0].JobName != "signal-client" {
			t.Fatalf("%q: %+v", files, c)
		}
		dns := c.ScrapeConfigs[0].DNS[0]
		found := 0
		for name, s := range p.Services {
			if strings.HasPrefix(s.Image, "signal-client:") && s.NetworkMode == "" {
				found++
				if !slices.Contains(namesOf(name, s), dns.Names[0]) || !strings.HasSuffix(*s.Environment["SIGNAL_CLIENT_HTTP_ADDR"], ":"+strconv.Itoa(dns.Port)) {
					t.Errorf("%q: %s is not scraped by %+v", files, name, dns)
				}
			}
		}
		prometheus := p.Services["prometheus"]
		if found == 0 || !slices.Contains(targets(prometheus), "/etc/prometheus/"+c.RuleFiles[0]) || !strings.Contains(strings.Join(prometheus.Command, " "), "/etc/prometheus/prometheus.yaml") {
			t.Errorf("%q: %d signal-clients, rules %q, command %q", files, found, c.RuleFiles, prometheus.Command)
		}
	}
	rules, err := os.ReadFile(filepath.Join(deployments, "prometheus/rules.yaml"))
	if err != nil || !strings.Contains(string(rules), `job="signal-client"`) {
		t.Errorf("no alert looks for the job: %v", err)
	}
}

// Grafana finds every dashboard, and for each of them a data source of its type.
func TestGrafana(t *testing.T) {
	t.Parallel()
	p := load(t, nil, "compose.yaml", "monitoring.yaml")
	grafana := p.Services["grafana"]
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, URL string
			IsDefault            bool              `yaml:"isDefault"`
			JSONData             map[string]string `yaml:"jsonData"`
			SecureJSONData       map[string]string `yaml:"secureJsonData"`
		}
	}
	decode(t, p.Configs["datasources"].Content, &sources)
	types := map[string]bool{}
	for _, s := range sources.Datasources {
		types[s.Type] = true
		host, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
		if _, ok := p.Services[host]; !ok {
			t.Errorf("%s is asked at %s, which is no service", s.Name, s.URL)
		}
	}
	var provisioning struct {
		Providers []struct{ Options struct{ Path string } }
	}
	text, err := os.ReadFile(filepath.Join(deployments, "grafana/provisioning.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &provisioning)
	}
	if err != nil || len(provisioning.Providers) != 1 {
		t.Fatalf("%v: %v", provisioning, err)
	}
	dashboards, err := filepath.Glob(filepath.Join(deployments, "grafana/*.json"))
	search, searchErr := filepath.Glob(filepath.Join(deployments, "grafana/search/*.json"))
	dashboards = append(dashboards, search...)
	if err != nil || searchErr != nil || len(dashboards) < 3 {
		t.Fatalf("dashboards %q: %v, %v", dashboards, err, searchErr)
	}
	for _, file := range dashboards {
		if !slices.Contains(targets(grafana), provisioning.Providers[0].Options.Path+"/"+filepath.Base(file)) {
			t.Errorf("%s is not where Grafana looks: %q", file, targets(grafana))
		}
		var d struct {
			Templating struct {
				List []struct{ Name, Type, Query any }
			}
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &d)
		}
		if kind, _ := d.Templating.List[0].Query.(string); err != nil || d.Templating.List[0].Type != "datasource" || !types[kind] {
			t.Errorf("%s: its data source is %+v: %v", file, d.Templating.List[0], err)
		}
	}
	token := sources.Datasources[1].SecureJSONData["httpHeaderValue1"]
	if !slices.Contains(targets(grafana), "/run/secrets/grafana-token") || token != "Bearer $__file{/run/secrets/grafana-token}" {
		t.Errorf("the search is asked with %q", token)
	}
}

// targets are the paths at which a container finds files.
func targets(s types.ServiceConfig) []string {
	return slices.Collect(maps.Keys(mounts(s)))
}

func decode(t *testing.T, text string, to any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(to); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// mounts are a container's files and directories, and what they are.
func mounts(s types.ServiceConfig) map[string]any {
	m := map[string]any{}
	for _, v := range s.Volumes {
		m[v.Target] = v
	}
	for _, target := range s.Tmpfs {
		m[target] = nil
	}
	for _, c := range s.Configs {
		m[c.Target] = c
	}
	for _, secret := range s.Secrets {
		target := secret.Target
		if target == "" {
			target = secret.Source
		}
		if !filepath.IsAbs(target) {
			target = "/run/secrets/" + target
		}
		m[target] = secret
	}
	return m
}

// namesOf are the names of a service in its network.
func namesOf(name string, s types.ServiceConfig) []string {
	names := []string{name}
	for _, network := range s.Networks {
		if network != nil {
			names = append(names, network.Aliases...)
		}
	}
	return names
}

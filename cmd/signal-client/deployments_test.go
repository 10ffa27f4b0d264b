package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/witfoo/signal-client/sink/embedded"
)

const deployments = "../../deployments"

// The variables that the deployments set or offer exist.
func TestDeploymentsNameVariables(t *testing.T) {
	known := map[string]bool{}
	for _, v := range settings() {
		known[v.Name] = true
	}
	found := 0
	err := filepath.WalkDir(deployments, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range namedVariable.FindAllString(string(text), -1) {
			found++
			if !known[name] {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Errorf("%d variables found: %v", found, err)
	}
}

// A container that can't poll anything is not healthy.
func TestContainersAskWhetherTheyAreReady(t *testing.T) {
	for _, file := range []string{"container/Dockerfile", "compose/compose.yaml", "compose/cluster.yaml"} {
		text, err := os.ReadFile(filepath.Join(deployments, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `["CMD", "/signal-client", "healthcheck", "--ready"]`) &&
			!strings.Contains(string(text), `CMD ["/signal-client", "healthcheck", "--ready"]`) {
			t.Errorf("%s: its health check does not ask whether it is ready", file)
		}
	}
}

// The compose files' servers start as configured, accept what the embedded server
// accepts, and have the names that the clients use.
func TestComposeServers(t *testing.T) {
	t.Setenv("SERVER_NAME", "nats-1")
	for file, servers := range map[string]int{"compose.yaml": 1, "cluster.yaml": 3} {
		data, err := os.ReadFile(filepath.Join(deployments, "compose", file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		conf := filepath.Join(t.TempDir(), "nats.conf")
		if err := os.WriteFile(conf, []byte(composeConfig(t, text)), 0o600); err != nil {
			t.Fatal(err)
		}
		opts, err := server.ProcessConfigFile(conf)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if !opts.JetStream || !opts.SyncAlways || opts.StoreDir != "/data" || int(opts.MaxPayload) != embedded.MaxPayload {
			t.Errorf("%s: JetStream %v in %s, sync always %v, max payload %d", file, opts.JetStream, opts.StoreDir, opts.SyncAlways, opts.MaxPayload)
		}
		hosts := composeHosts(text)
		for _, route := range opts.Routes {
			hosts = append(hosts, route.Hostname())
		}
		for _, host := range hosts {
			if !strings.Contains(text, fmt.Sprintf("\n  %s:\n", host)) {
				t.Errorf("%s: no service %s", file, host)
			}
		}
		if len(hosts) < servers || servers > 1 && (len(opts.Routes) != servers || opts.ServerName != "nats-1") {
			t.Errorf("%s: %q for %d servers, routes %v, name %q", file, hosts, servers, opts.Routes, opts.ServerName)
		}
	}
}

var composeContent = regexp.MustCompile(`(?ms)^    content: \|\n((?:      .*?\n|\n)+)`)

// composeConfig is the server's configuration in a compose file, as its
// container finds it.
func composeConfig(t *testing.T, text string) string {
	t.Helper()
	m := composeContent.FindAllStringSubmatch(text, -1)
	if len(m) != 1 {
		t.Fatalf("%d configurations, want 1", len(m))
	}
	return strings.ReplaceAll(m[0][1], "$$", "$")
}

var composeURL = regexp.MustCompile(`nats://([a-z0-9-]+):4222`)

// composeHosts are the hosts at which signal-client looks for NATS.
func composeHosts(text string) []string {
	var hosts []string
	for _, m := range composeURL.FindAllStringSubmatch(text, -1) {
		hosts = append(hosts, m[1])
	}
	return hosts
}

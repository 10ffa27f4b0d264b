package compose

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// With the simulated org, events are in the stream, in the search of the console, and in
// the metrics, to those who may see them.
func TestSimulated(t *testing.T) {
	t.Parallel()
	s := newSystem(t, map[string]string{"RATE": "0"}, "compose.yaml", "simulated.yaml", "monitoring.yaml")
	s.up()
	client := s.started["signal-client"]
	s.stored(s.address("nats"), 4000, 1)
	if got := client.service.ContainerName; got != "signal-client-svc" || !strings.Contains(client.log.String(), "\n[INFO] okta: fetched 999 events instance=acme") {
		t.Errorf("docker logs %s shows\n%s", got, &client.log)
	}

	console := "http://" + s.address("signal-client") + ":8000"
	if body, ok := get(t, console+"/api/v1/fleet", ""); ok {
		t.Errorf("the console asks for no login: %s", body)
	}
	jar, _ := cookiejar.New(nil) // it has no error
	resp, err := (&http.Client{Jar: jar}).PostForm(console+"/login", url.Values{"user": {"admin"}, "password": {adminPassword}})
	if err != nil || resp.StatusCode != http.StatusOK || resp.Request.URL.Path == "/login" {
		t.Errorf("login: %v %+v", err, resp)
	}
	token := client.token()
	s.eventually("the events are found", func() bool {
		body, ok := get(t, console+"/select/logsql/query?query="+url.QueryEscape("instance:acme | count() n"), token)
		return ok && strings.TrimSpace(body) == `{"n":"4000"}`
	}, client.log.String)
	if body, ok := get(t, console+"/api/v1/integrations", token); !ok || !strings.Contains(body, `"acme"`) {
		t.Errorf("the console's API: %s", body)
	}
	if body, ok := get(t, console+"/metrics", ""); !ok || !strings.Contains(body, `signal_client_events_total{integration="acme",origin="live"} 4000`) {
		t.Errorf("what Prometheus scrapes: %s", body)
	}
	if out, err := client.exec("/signal-client", "doctor").CombinedOutput(); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// Two signal-clients share a cluster of three.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := newSystem(t, nil, "cluster.yaml")
	s.up()
	one, two := s.started["signal-client-1"], s.started["signal-client-2"]
	org := one.exec("/signal-client", "simulate", "--listen", s.net+"200:8100", "--history", "300", "--rate", "0", "--orgs", "2")
	if err := org.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = org.Wait() })
	for i, instance := range []string{"acme", "globex"} {
		add := one.exec("/signal-client", "integrations", "add", "okta", instance, "--base-url", "http://"+s.net+"200:810"+string(rune('0'+i)), "--since", "25h", "--token-from", "-")
		add.Stdin = strings.NewReader("simulated\n")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("integrations add: %v\n%s", err, out)
		}
	}
	s.stored(s.address("nats-3"), 600, 3)
	if out, err := two.exec("/signal-client", "integrations", "show", "globex", "--json").Output(); err != nil || !strings.Contains(string(out), "sealed") {
		t.Errorf("globex is not sealed: %v\n%s", err, out)
	}
	// Who is logged in at one console is so at the other.
	token := one.token()
	for _, c := range []*container{one, two} {
		s.eventually("the fleet at "+c.name, func() bool {
			body, ok := get(t, "http://"+s.address(c.name)+":8000/api/v1/fleet", token)
			return ok && strings.Contains(body, "node-1") && strings.Contains(body, "node-2")
		}, c.log.String)
	}
}

// token makes an API token, as monitoring.yaml says.
func (c *container) token() string {
	c.Helper()
	out, err := c.exec("/signal-client", "console", "token", "new", "--name", "grafana", "--role", "viewer").Output()
	if err != nil {
		c.Fatalf("console token new: %v %s", err, &c.log)
	}
	return strings.TrimSpace(string(out))
}

// stored waits until a server's stream has so many events, in so many copies. It asks as the nats
// command on this machine does.
func (s *system) stored(server string, events uint64, copies int) {
	s.Helper()
	nobody, err := nats.Connect("nats://" + server + ":4222")
	if err == nil {
		nobody.Close()
		s.Error("NATS asks for no password")
	}
	var user struct{ User, Password string }
	if err := json.Unmarshal([]byte(s.file("nats")), &user); err != nil {
		s.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+server+":4222", nats.UserInfo(user.User, user.Password))
	if err != nil {
		s.Fatal(err)
	}
	defer nc.Close()
	if got := nc.MaxPayload(); got != 8<<20 {
		s.Errorf("the server takes messages of %d bytes, want 8 MiB as the embedded one", got)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		s.Fatal(err)
	}
	var info *jetstream.StreamInfo
	s.eventually("the events are stored", func() bool {
		stream, err := js.Stream(s.Context(), "SIGNALS")
		if err != nil {
			return false
		}
		info, err = stream.Info(s.Context(), jetstream.WithSubjectFilter("signals.okta.*"))
		var n uint64
		for _, count := range info.State.Subjects {
			n += count
		}
		return err == nil && n == events && info.Config.Replicas == copies
	}, func() string { return s.logs() })
}

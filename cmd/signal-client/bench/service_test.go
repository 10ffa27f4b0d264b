package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/witfoo/signal-client/cmd/signal-client/internal/kinds"
	"github.com/witfoo/signal-client/sink/jets"
	"github.com/witfoo/signal-client/sink/jets/jetstest"
	"github.com/witfoo/signal-client/sink/locks"
	"github.com/witfoo/signal-client/source/okta"
)

// fleet is what replicas of the service stand between: orgs and a server.
type fleet struct {
	*testing.T
	binary string
	orgs   *hosts
	server *jetstest.Process
	store  *jets.Store
	js     jetstream.JetStream
}

// newFleet starts a process of orgs and a server, without a replica.
func newFleet(t *testing.T, binary string, groups ...hostGroup) *fleet {
	t.Helper()
	f := &fleet{T: t, binary: binary, orgs: startHosts(t, groups...), server: jetstest.Config{}.Process(t)}
	conn, err := jets.Connect(t.Context(), f.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if f.store, err = jets.Open(t.Context(), conn, jets.Config{Kinds: kinds.All.Plain()}); err != nil {
		t.Fatal(err)
	}
	f.js = conn.JS
	return f
}

// configure writes the integrations of a group's orgs. Their token is read from a file in
// the reading process's directory, so that orgs can tell the processes apart; without
// files they all have one token.
func (f *fleet) configure(group int, interval time.Duration, files bool) {
	f.Helper()
	bucket, err := f.js.KeyValue(f.Context(), jets.BucketIntegrations)
	if err != nil {
		f.Fatal(err)
	}
	credential := `"api_token":"bench"`
	if files {
		credential = `"api_token_file":"` + tokenFile + `"`
	}
	g := f.orgs.groups[group]
	for i := range g.Hosts {
		value := fmt.Sprintf(`{"poll_interval":%q,"settings":{"base_url":%q,"since":%q},"credentials":{%s}}`,
			interval, f.orgs.origin(group, i), drainSince, credential)
		if _, err := bucket.Put(f.Context(), jets.Key(okta.Kind.Name, g.instance(i)), []byte(value)); err != nil {
			f.Fatal(err)
		}
	}
}

// tokenFile is where replicas find their token, each in its own directory.
const tokenFile = "okta.token"

// replica is a process of the built binary.
type replica struct {
	*fleet
	name  string
	dir   string
	env   []string // besides what every replica has
	cmd   *exec.Cmd
	log   *os.File
	began time.Time
}

// start starts a replica. What it says is shown when the test fails.
func (f *fleet) start(name string, env ...string) *replica {
	f.Helper()
	r := &replica{fleet: f, name: name, dir: f.TempDir(), env: env}
	if err := os.WriteFile(filepath.Join(r.dir, tokenFile), []byte(name), 0o600); err != nil {
		f.Fatal(err)
	}
	r.run()
	return r
}

// run starts the process, for the first time or again.
func (r *replica) run() {
	r.Helper()
	var err error
	if r.log, err = os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		r.Fatal(err)
	}
	cmd := exec.Command(r.binary, "run")
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, r.log, r.log
	cmd.Env = append(plainEnviron(), "NATS_URL="+r.server.URL(), "SIGNAL_CLIENT_REPLICA="+r.name, "SIGNAL_CLIENT_HTTP_ADDR=127.0.0.1:0")
	cmd.Env = append(cmd.Env, r.env...)
	r.began = time.Now()
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.cmd = cmd
	r.Cleanup(func() {
		if r.cmd == cmd {
			r.end(syscall.SIGKILL)
		}
		if said, err := os.ReadFile(r.log.Name()); err == nil && r.Failed() {
			r.Logf("%s:\n%s", r.name, said[max(0, len(said)-4000):])
		}
	})
}

// plainEnviron is the environment without what configures the program.
func plainEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "NATS_") || strings.HasPrefix(v, "OKTA_") || strings.HasPrefix(v, "SIGNAL_CLIENT_") || strings.HasPrefix(v, "OTEL_")
	})
}

// end ends the process by a signal, and returns when the signal was sent.
func (r *replica) end(by syscall.Signal) time.Time {
	r.Helper()
	at := time.Now()
	if err := r.cmd.Process.Signal(by); err != nil {
		r.Fatalf("%s has ended by itself: %v", r.name, err)
	}
	err := r.cmd.Wait()
	r.cmd = nil
	_ = r.log.Close()
	if err != nil && by != syscall.SIGKILL {
		r.Fatalf("%s: %v", r.name, err)
	}
	return at
}

// memory is what the process has resident, now and at most, in MB.
func (r *replica) memory() (now, peak float64) {
	return statusMB(r.cmd.Process.Pid, "VmRSS:"), statusMB(r.cmd.Process.Pid, "VmHWM:")
}

func (r *replica) cpu() time.Duration { r.Helper(); return cpuOf(r, r.cmd.Process.Pid) }

// cpuOf is the time that a process has computed, in user mode and in the kernel.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	const tick = time.Second / 100 // on every Linux that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ") // a name may hold anything
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

var (
	metricsAt = regexp.MustCompile(`http: serving .* url=(http://\S+)`)
	gaugeLine = regexp.MustCompile(`(?m)^(\w+) (\S+)$`)
)

// url is where the process serves HTTP; empty while it does not say so.
func (r *replica) url() string {
	r.Helper()
	said, err := os.ReadFile(r.log.Name())
	if err != nil {
		r.Fatal(err)
	}
	all := metricsAt.FindAllSubmatch(said, -1)
	if len(all) == 0 {
		return ""
	}
	return string(all[len(all)-1][1])
}

// metric is a gauge without labels; 0 while it is not there.
func (r *replica) metric(name string) float64 {
	r.Helper()
	url := r.url()
	if url == "" {
		return 0 // it is about to start
	}
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	for _, found := range gaugeLine.FindAllSubmatch(text, -1) {
		if string(found[1]) == name {
			value, _ := strconv.ParseFloat(string(found[2]), 64)
			return value
		}
	}
	return 0
}

// holders says which replica holds each instance; those that nobody holds are
// left out.
func (f *fleet) holders() map[string]string {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 10*time.Second)
	defer cancel()
	replicas, err := locks.ReadReplicas(ctx, f.store)
	if err != nil {
		f.Fatal(err)
	}
	holders := map[string]string{}
	for key := range replicas.Locks {
		if holder := replicas.Holder(key); holder != "" {
			holders[strings.TrimPrefix(key, "okta.")] = holder
		}
	}
	return holders
}

// until looks twice a second until something is so.
func (f *fleet) until(what string, patience time.Duration, so func() bool) {
	f.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			f.Fatalf("after %s it has not come to this: %s", patience, what)
		}
		f.pause(500 * time.Millisecond)
	}
}

// pause lets time pass, unless the test has ended.
func (f *fleet) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-f.Context().Done():
	}
}

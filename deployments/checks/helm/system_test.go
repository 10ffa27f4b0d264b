package helm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
)

// system runs pods of signal-client and NATS servers as processes of this machine. Each
// pod and each server has a loopback address of its own, so that ports stay what they are.
// A container's paths are below a directory.
type system struct {
	*testing.T
	dir     string
	net     string                       // the first three numbers of the addresses
	hosts   map[string]string            // addresses by the names that pods use
	secrets map[string]map[string]string // by name and key
	extra   []string                     // variables that stand for what is not here, such as DNS
}

const (
	podAddress    = "1"
	orgAddress    = "20"
	serverAddress = "11" // of the first NATS server; each further one is at the next
)

var built struct {
	once                sync.Once
	dir                 string
	client, nats, fails string
}

func newSystem(t *testing.T) *system {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the pods' addresses are those of Linux' loopback")
	}
	built.once.Do(func() {
		built.client, built.nats = filepath.Join(built.dir, "signal-client"), filepath.Join(built.dir, "nats-server")
		for path, pkg := range map[string]string{built.client: "./cmd/signal-client", built.nats: "github.com/nats-io/nats-server/v2"} {
			cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, pkg)
			cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				built.fails += fmt.Sprintf("build %s: %v\n%s", pkg, err, out)
			}
		}
	})
	if built.fails != "" {
		t.Fatal(built.fails)
	}
	return &system{T: t, dir: t.TempDir(), net: fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(256)), hosts: map[string]string{}}
}

// write writes a file and returns its path.
func (s *system) write(name, text string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o440)
	}
	if err != nil {
		s.Fatal(err)
	}
	return path
}

// process starts a program until the test ends, and returns its log.
func (s *system) process(cmd *exec.Cmd) *safeBuffer {
	s.Helper()
	log := new(safeBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended: so does the process
	return log
}

// servers starts NATS servers under the names that the pods use, with a configuration that
// they share.
func (s *system) servers(config string, names ...string) {
	s.Helper()
	var routes []string
	for i, name := range names {
		s.hosts[name] = s.net + fmt.Sprint(11+i)
		routes = append(routes, "nats://"+s.hosts[name]+":6222")
	}
	for i, name := range names {
		text := fmt.Sprintf("server_name: nats-%d\nlisten: \"%s:4222\"\njetstream { store_dir: %q }\n%s\n", i, s.hosts[name], filepath.Join(s.dir, "nats", name), config)
		if len(names) > 1 {
			text += fmt.Sprintf("cluster { name: test, listen: \"%s:6222\", routes: [%s] }\n", s.hosts[name], strings.Join(routes, ", "))
		}
		s.process(exec.CommandContext(s.Context(), built.nats, "-c", s.write("nats-"+fmt.Sprint(i)+".conf", text)))
	}
}

// org starts a simulated org in the place of acme.okta.com.
func (s *system) org(flags ...string) {
	s.Helper()
	at := s.net + orgAddress + ":8100"
	s.process(exec.CommandContext(s.Context(), built.client, append([]string{"simulate", "--listen", at, "--history", "300", "--rate", "0"}, flags...)...))
	s.extra = append(s.extra, "OKTA_BASE_URL=http://"+at, "OKTA_SINCE=25h")
}

// command returns what a container runs, with its environment, its Secrets as files, and
// its volumes as directories.
func (s *system) command(pod core.PodSpec, c core.Container) *exec.Cmd {
	s.Helper()
	root := filepath.Join(s.dir, "pods", c.Name)
	paths := []string{}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == m.Name })
		s.mount(filepath.Join(root, m.MountPath), pod.Volumes[i])
		paths = append(paths, m.MountPath, filepath.Join(root, m.MountPath))
	}
	inside := func(text string) string { return strings.NewReplacer(paths...).Replace(s.address(text)) }
	cmd := exec.CommandContext(s.Context(), built.client)
	for _, arg := range c.Args {
		cmd.Args = append(cmd.Args, inside(arg))
	}
	cmd.Dir, cmd.Env = s.dir, slices.Clone(s.extra)
	for _, e := range c.Env {
		value := inside(e.Value)
		switch from := e.ValueFrom; {
		case from == nil:
		case from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.name":
			value = "signals-signal-client-0"
		default:
			value = s.secret(from.SecretKeyRef.Name, from.SecretKeyRef.Key)
		}
		cmd.Env = append(cmd.Env, e.Name+"="+value)
	}
	return cmd
}

func (s *system) mount(path string, v core.Volume) {
	s.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		s.Fatal(err)
	}
	if v.Secret == nil {
		return
	}
	if v.Secret.Items == nil {
		for key := range s.secrets[v.Secret.SecretName] {
			v.Secret.Items = append(v.Secret.Items, core.KeyToPath{Key: key, Path: key})
		}
	}
	relative, err := filepath.Rel(s.dir, path)
	if err != nil || len(v.Secret.Items) == 0 {
		s.Fatalf("Secret %s: %v", v.Secret.SecretName, err)
	}
	for _, item := range v.Secret.Items {
		s.write(filepath.Join(relative, item.Path), s.secret(v.Secret.SecretName, item.Key))
	}
}

func (s *system) secret(name, key string) string {
	s.Helper()
	text, ok := s.secrets[name][key]
	if !ok {
		s.Fatalf("no key %s in Secret %s", key, name)
	}
	return text
}

var hostPort = regexp.MustCompile(`(^|[a-z0-9.-]+):[0-9]+\b`)

// address replaces names and the addresses of a pod by those that they have here.
func (s *system) address(text string) string {
	return hostPort.ReplaceAllStringFunc(text, func(at string) string {
		host, port, _ := strings.Cut(at, ":")
		switch {
		case host == "" || host == "0.0.0.0" || host == "127.0.0.1" || host == "signals-signal-client":
			return s.net + podAddress + ":" + port
		case s.hosts[host] != "":
			return s.hosts[host] + ":" + port
		}
		return at
	})
}

// get asks an address of the pod, and returns the status and the body.
func (s *system) get(port int32, path string) (int, string) {
	client := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(fmt.Sprintf("http://%s%s:%d%s", s.net, podAddress, port, path))
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	return resp.StatusCode, body.String()
}

// eventually waits up to a minute.
func (s *system) eventually(what string, ok func() bool, seen func() string) {
	s.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not within a minute: %s\n%s", what, seen())
		}
	}
}

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

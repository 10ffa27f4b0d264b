package compose

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/witfoo/signal-client/deployments/checks/dockerfile"
)

// system is a project whose containers of signal-client and NATS run as processes of this
// machine (Linux), with the commands, environments, files and volumes of the compose files. Each
// network namespace is a loopback address of its own, so that ports stay what they are;
// names of services stand for these addresses. Each container's paths are below a
// directory. Containers of other images are left out.
type system struct {
	*testing.T
	project *types.Project
	dir     string
	net     string // the first three numbers of the addresses
	image   types.MappingWithEquals
	entry   []string

	started map[string]*container
}

// container is a service's process.
type container struct {
	*system
	name    string
	service types.ServiceConfig
	root    string // where its paths are
	log     safeBuffer
	cmd     *exec.Cmd
}

var built struct {
	once                sync.Once
	dir                 string
	client, nats, fails string
}

// buildPrograms compiles signal-client, as the image does, and nats-server, once.
func buildPrograms(t *testing.T) {
	t.Helper()
	built.once.Do(func() {
		built.client, built.nats = filepath.Join(built.dir, "signal-client"), filepath.Join(built.dir, "nats-server")
		for path, pkg := range map[string]string{built.client: "./cmd/signal-client", built.nats: "github.com/nats-io/nats-server/v2"} {
			cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, pkg)
			cmd.Dir, cmd.Env = filepath.Join(deployments, ".."), append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				built.fails += fmt.Sprintf("build %s: %v\n%s", pkg, err, out)
			}
		}
	})
	if built.fails != "" {
		t.Fatal(built.fails)
	}
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "compose-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

const adminPassword = "correct horse battery staple"

// newSystem makes the secrets as the head of compose.yaml says. Call up.
func newSystem(t *testing.T, env map[string]string, files ...string) *system {
	t.Helper()
	buildPrograms(t)
	s := &system{T: t, project: load(t, env, files...), dir: t.TempDir(), started: map[string]*container{},
		net: fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(256))}
	stage, err := dockerfile.Read(filepath.Join(deployments, "container/Dockerfile"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.image, s.entry = types.NewMappingWithEquals(stage.Config.Env), stage.Config.Entrypoint
	hash := exec.CommandContext(t.Context(), built.client, "console", "hash-password", "--user", "admin", "--role", "admin")
	hash.Stdin = strings.NewReader(adminPassword + "\n")
	users, err := hash.Output()
	if err != nil {
		t.Fatalf("hash-password: %v", err)
	}
	s.secret("console-users", string(users))
	key := filepath.Join(s.dir, "secret.key")
	if out, err := exec.CommandContext(t.Context(), built.client, "keys", "new", "--out", key).CombinedOutput(); err != nil {
		t.Fatalf("keys new: %v\n%s", err, out)
	}
	sealing, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	s.secret("secret-key", string(sealing))
	s.secret("nats", `{"user": "signal-client", "password": "0123456789abcdef"}`+"\n")
	return s
}

// secret writes a secret's file, and lets the project find it.
func (s *system) secret(name, text string) {
	s.Helper()
	config := s.project.Secrets[name]
	config.File = filepath.Join(s.dir, "secrets", filepath.Base(config.File))
	s.project.Secrets[name] = config
	s.write(config.File, text)
}

func (s *system) write(path, text string) {
	s.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// up starts the containers, each when those that it depends on are healthy, and waits until
// all are.
func (s *system) up() {
	s.Helper()
	for _, name := range slices.Sorted(maps.Keys(s.project.Services)) {
		s.start(name)
	}
	for _, c := range s.started {
		c.healthy()
	}
}

func (s *system) start(name string) {
	s.Helper()
	service := s.project.Services[name]
	if s.started[name] != nil || s.program(service) == nil {
		return
	}
	for other, how := range service.DependsOn {
		s.start(other)
		if how.Condition == types.ServiceConditionHealthy && s.started[other] != nil {
			s.started[other].healthy()
		}
	}
	c := &container{system: s, name: name, service: service, root: filepath.Join(s.dir, name)}
	s.started[name] = c
	c.mount()
	c.run()
}

// program is what a container's process is; nil: nothing that runs here.
func (s *system) program(service types.ServiceConfig) []string {
	switch image, _, _ := strings.Cut(service.Image, ":"); image {
	case "signal-client":
		args := []string(service.Command)
		if args == nil {
			args = []string{"run"}
		}
		return append([]string{built.client}, args...)
	case "nats":
		return append([]string{built.nats}, service.Command[1:]...)
	}
	return nil
}

// mount makes the container's files.
func (c *container) mount() {
	c.Helper()
	for target, what := range mounts(c.service) {
		path := c.root + target
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch what := what.(type) {
		case nil: // tmpfs
			err = os.MkdirAll(path, 0o700)
		case types.ServiceVolumeConfig:
			shared := filepath.Join(c.dir, "volumes", what.Source)
			if what.Type == types.VolumeTypeVolume {
				err = os.MkdirAll(shared, 0o700)
			} else {
				shared, err = filepath.Abs(what.Source)
			}
			if err == nil {
				err = os.Symlink(shared, path)
			}
		case types.ServiceConfigObjConfig:
			c.write(path, c.inside(c.project.Configs[what.Source].Content))
		case types.ServiceSecretConfig:
			text, readErr := os.ReadFile(c.project.Secrets[what.Source].File)
			if err = readErr; err == nil {
				c.write(path, string(text))
			}
		}
		if err != nil {
			c.Fatal(err)
		}
	}
}

// address is that of a container's network namespace.
func (s *system) address(name string) string {
	service := s.project.Services[name]
	if owner, ok := strings.CutPrefix(service.NetworkMode, "service:"); ok {
		return s.address(owner)
	}
	names := slices.Sorted(maps.Keys(s.project.Services))
	return s.net + fmt.Sprint(1+slices.Index(names, name))
}

var hostPort = regexp.MustCompile(`[a-z0-9.-]+:[0-9]+`)

// inside translates a text of a compose file: addresses and paths are those of the container.
func (c *container) inside(text string) string {
	text = hostPort.ReplaceAllStringFunc(text, func(at string) string {
		host, port, _ := strings.Cut(at, ":")
		if host == "0.0.0.0" || host == "127.0.0.1" {
			return c.address(c.name) + ":" + port
		}
		for name, s := range c.project.Services {
			if slices.Contains(namesOf(name, s), host) {
				return c.address(name) + ":" + port
			}
		}
		return at
	})
	var paths []string
	for _, target := range slices.Sorted(maps.Keys(mounts(c.service))) {
		paths = append(paths, target, c.root+target)
	}
	return strings.NewReplacer(paths...).Replace(text)
}

func (c *container) environment() []string {
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": c.root}
	of := maps.Clone(c.service.Environment)
	if strings.HasPrefix(c.service.Image, "signal-client:") {
		of = maps.Clone(c.image)
		maps.Copy(of, c.service.Environment)
	}
	for name, value := range of {
		env[name] = c.inside(*value)
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// exec returns a command within the container.
func (c *container) exec(args ...string) *exec.Cmd {
	if args[0] == c.entry[0] {
		args[0] = built.client
	}
	cmd := exec.CommandContext(c.Context(), args[0], args[1:]...)
	cmd.Env, cmd.Dir = c.environment(), c.root
	return cmd
}

func (c *container) run() {
	c.Helper()
	args := c.program(c.service)
	for i := range args[1:] {
		args[1+i] = c.inside(args[1+i])
	}
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		c.Fatal(err)
	}
	c.cmd = c.exec(args...)
	c.cmd.Stdout, c.cmd.Stderr = &c.log, &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	if err := c.cmd.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = c.cmd.Wait() }) // the test's context has ended: so does the process
}

// healthy waits until the health check of the compose file succeeds.
func (c *container) healthy() {
	c.Helper()
	test := slices.Clone(c.service.HealthCheck.Test[1:])
	var said []byte
	c.eventually(c.name+" is healthy", func() (ok bool) {
		if test[0] == "wget" {
			_, ok = get(c.T, c.inside(test[len(test)-1]), "")
			return ok
		}
		var err error
		said, err = c.exec(slices.Clone(test)...).CombinedOutput()
		return err == nil
	}, func() string { return string(said) + c.log.String() })
}

func (s *system) eventually(what string, ok func() bool, seen func() string) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) { // between two looks at other processes
		if time.Now().After(deadline) {
			s.Fatalf("%s: not so after a minute\n%s", what, seen())
		}
	}
}

// get requests a page with a bearer token; "": without.
func get(t *testing.T, url, token string) (body string, ok bool) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return err.Error(), false
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error(), false
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return string(data), err == nil && resp.StatusCode == http.StatusOK
}

// safeBuffer is a bytes.Buffer that is safe for concurrent use.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// file returns the text of a secret.
func (s *system) file(secret string) string {
	s.Helper()
	text, err := os.ReadFile(s.project.Secrets[secret].File)
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// logs returns what all containers have said.
func (s *system) logs() string {
	var all strings.Builder
	for name, c := range s.started {
		fmt.Fprintf(&all, "%s:\n%s\n", name, &c.log)
	}
	return all.String()
}

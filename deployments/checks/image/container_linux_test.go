package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// container runs programs in an image's root file system as Docker does with read_only,
// cap_drop: [ALL] and no-new-privileges: /proc and /data are all that is mounted. The
// network is the machine's.
type container struct {
	*testing.T
	config v1.Config
	root   string
	data   string // mounted at /data
	env    []string
}

// initEnv makes the test's own binary the first process of a container.
const initEnv = "TEST_CONTAINER"

// start is what the first process of a container is told.
type start struct {
	Root, Data string
	Args, Env  []string
}

const noNamespaces = 97 // exit code where a container is not allowed

// initContainer mounts what a container has, gives up all privileges and becomes its program.
func initContainer() {
	var s start
	if err := json.Unmarshal([]byte(os.Getenv(initEnv)), &s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	proc, data := filepath.Join(s.Root, "proc"), filepath.Join(s.Root, "data")
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount(s.Root, s.Root, "", unix.MS_BIND, ""),
		unix.Mount(s.Data, data, "", unix.MS_BIND, ""),
		unix.Mount("proc", proc, "proc", 0, ""),
		unix.Mount("", s.Root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""),
		unix.Chroot(s.Root), unix.Chdir("/"),
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
		unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
	); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(noNamespaces)
	}
	fmt.Fprintln(os.Stderr, unix.Exec(s.Args[0], s.Args, s.Env))
	os.Exit(1)
}

// command returns a command that runs in the container.
func (c *container) command(args ...string) *exec.Cmd {
	c.Helper()
	told, err := json.Marshal(start{Root: c.root, Data: c.data, Args: args, Env: c.environment()})
	if err != nil {
		c.Fatal(err)
	}
	cmd := exec.CommandContext(c.Context(), "/proc/self/exe") // the image's user may not see the way to it
	cmd.Env = []string{initEnv + "=" + string(told)}
	user, group := os.Getuid(), os.Getgid()
	if user == 0 {
		user, group = imageUser, imageUser
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: user, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: group, Size: 1}},
		Credential:  &syscall.Credential{Uid: imageUser, Gid: imageUser, NoSetGroups: true},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT},
		Pdeathsig:   syscall.SIGKILL,
	}
	return cmd
}

const imageUser = 65532

// environment returns the image's variables, unless the container has others of that name.
func (c *container) environment() []string {
	env := slices.Clone(c.env)
	for _, variable := range c.config.Env {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.ContainsFunc(env, func(own string) bool { return strings.HasPrefix(own, name+"=") }) {
			env = append(env, variable)
		}
	}
	return env
}

// newContainer makes what a container needs, or skips the test where there can be none.
func newContainer(t *testing.T, img v1.Image, root string) *container {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := &container{T: t, config: file.Config, root: root, data: filepath.Join(filepath.Dir(root), "volume")}
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "proc"), 0o755), os.Mkdir(c.data, 0o700)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		err = os.Chown(c.data, imageUser, imageUser)
		for dir := c.data; err == nil && dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
			if dir != c.data {
				err = os.Chmod(dir, 0o755) // the user of the image must get there
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	version := c.command("/signal-client", "version")
	var said bytes.Buffer
	version.Stderr = &said
	out, err := version.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); errors.Is(err, syscall.EPERM) || ok && exit.ExitCode() == noNamespaces {
		t.Skipf("the image was built and checked, but not started: this machine allows no containers without an engine (user namespaces, or root): %v %s", err, &said)
	}
	if want := "signal-client v1.2.3 (revision 0123456789ab"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Fatalf("version in the image: %v\n%s%s", err, out, &said)
	}
	return c
}

// checkRun polls a simulated org out of one container into the embedded server of another,
// with the search index, on a read-only root.
func checkRun(t *testing.T, img v1.Image, root string) {
	c := newContainer(t, img, root)
	addr, org := freeAddress(t), freeAddress(t)
	simulate := c.command("/signal-client", "simulate", "--listen", org, "--history", "50", "--rate", "0")
	var said safeBuffer
	simulate.Stderr = &said
	if err := simulate.Start(); err != nil {
		t.Fatal(err)
	}
	defer end(t, simulate, &said)

	c.env = []string{"SIGNAL_CLIENT_HTTP_ADDR=" + addr, "SIGNAL_CLIENT_NATS_LISTEN=" + freeAddress(t), "SIGNAL_CLIENT_CONSOLE=on",
		"OKTA_BASE_URL=http://" + org, "OKTA_INSTANCE=acme", "OKTA_API_TOKEN=simulated", "OKTA_POLL_INTERVAL=1s", "OKTA_SINCE=25h"}
	run := c.command(append(c.config.Entrypoint, c.config.Cmd...)...)
	var log safeBuffer
	run.Stdout, run.Stderr = &log, &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer end(t, run, &log)

	eventually(t, "the health check of the image", &log, func() bool {
		return c.command(c.config.Healthcheck.Test[1:]...).Run() == nil
	})
	eventually(t, "the events, in the search", &log, func() bool {
		resp, err := http.Get("http://" + addr + "/select/logsql/query?query=*")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var rows bytes.Buffer
		_, err = rows.ReadFrom(resp.Body)
		return err == nil && bytes.Count(rows.Bytes(), []byte("\n")) == 50
	})
	if text := log.String(); !strings.Contains(text, "\n[INFO] okta: fetched 50 events instance=acme") {
		t.Errorf("docker logs | grep okta would show nothing of\n%s", text)
	}
}

// end ends a container as docker stop does. Its first process ends well.
func end(t *testing.T, cmd *exec.Cmd, log *safeBuffer) {
	t.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", cmd.Path, err, log)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
}

func eventually(t *testing.T, what string, log *safeBuffer, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) { // between two looks at another process
		if time.Now().After(deadline) {
			t.Fatalf("%s: not there\n%s", what, log)
		}
	}
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

package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestMain(m *testing.M) {
	if os.Getenv(initEnv) != "" {
		initContainer()
	}
	os.Exit(m.Run())
}

// testBuild returns what is built in tests, and the program, which is compiled as for a release.
func testBuild(t *testing.T) (b build, program string) {
	t.Helper()
	b, err := newBuild("v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	b.revision, b.created = "0123456789ab", time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	program = filepath.Join(t.TempDir(), "signal-client")
	if err := b.program(runtime.GOARCH, program); err != nil {
		t.Fatal(err)
	}
	return b, program
}

// The image holds the program, the certificate authorities and an empty data directory,
// is small, says what it is, and runs as Docker would run it.
func TestImage(t *testing.T) {
	t.Parallel()
	b, program := testBuild(t)
	img, err := b.image(runtime.GOARCH, program)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	files := extract(t, img, root)
	t.Run("Files", func(t *testing.T) { files.check(t) })
	t.Run("Config", func(t *testing.T) { checkConfig(t, img) })
	t.Run("Reproducible", func(t *testing.T) {
		again, err := b.image(runtime.GOARCH, program)
		if err != nil {
			t.Fatal(err)
		}
		if one, two := digest(t, img), digest(t, again); one != two {
			t.Errorf("two images of one program: %s and %s", one, two)
		}
	})
	t.Run("Pushed", func(t *testing.T) { checkPush(t, img) })
	t.Run("Runs", func(t *testing.T) { checkRun(t, img, root) })
}

// unpacked are an image's files, and its size.
type unpacked struct {
	headers map[string]*tar.Header
	data    map[string][]byte
	size    int64
}

// mostSize is the bound of the image's size on disk.
const mostSize = 60_000_000

func (u unpacked) check(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{
		"etc": "d0755 0:0", "etc/ssl": "d0755 0:0", "etc/ssl/certs": "d0755 0:0", "etc/ssl/certs/ca-certificates.crt": "-0644 0:0",
		"data": "d0700 65532:65532", "signal-client": "-0755 0:0",
	} {
		h := u.headers[name]
		if h == nil {
			t.Errorf("no %s", name)
			continue
		}
		kind := "-"
		if h.Typeflag == tar.TypeDir {
			kind = "d"
		}
		if got := fmt.Sprintf("%s%04o %d:%d", kind, h.Mode, h.Uid, h.Gid); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if len(u.headers) != 6 {
		t.Errorf("%d files and directories, want 6", len(u.headers))
	}
	if u.size > mostSize {
		t.Errorf("%d bytes, want at most %d", u.size, mostSize)
	}
	t.Logf("%.1f MB", float64(u.size)/1e6)
	pool := x509.NewCertPool()
	if certs := u.data["etc/ssl/certs/ca-certificates.crt"]; !pool.AppendCertsFromPEM(certs) || bytes.Count(certs, []byte("BEGIN CERTIFICATE")) < 100 {
		t.Errorf("%d bytes of certificate authorities", len(certs))
	}
	if !bytes.Contains(u.data["signal-client"], []byte("Pacific/Chatham")) {
		t.Error("the program has no time zones")
	}
}

func checkConfig(t *testing.T, img v1.Image) {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/signal-client"}) || !slices.Equal(c.Cmd, []string{"run"}) || c.StopSignal != "SIGTERM" {
		t.Errorf("user %q, entry point %q, command %q, signal %q", c.User, c.Entrypoint, c.Cmd, c.StopSignal)
	}
	if _, ok := c.Volumes["/data"]; !ok || len(c.ExposedPorts) != 1 || !slices.Contains(c.Env, "SIGNAL_CLIENT_DATA_DIR=/data") {
		t.Errorf("volumes %v, ports %v, environment %q", c.Volumes, c.ExposedPorts, c.Env)
	}
	if h := c.Healthcheck; h == nil || !slices.Equal(h.Test, []string{"CMD", "/signal-client", "healthcheck", "--ready"}) || h.Interval != 10*time.Second {
		t.Errorf("health check %+v", h)
	}
	for label, want := range map[string]string{"title": "signal-client", "version": "v1.2.3", "revision": "0123456789ab", "created": "2026-11-28T09:00:00Z", "source": "https://github.com/witfoo/signal-client"} {
		if got := c.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if file.OS != "linux" || file.Architecture != runtime.GOARCH || len(file.RootFS.DiffIDs) != 3 {
		t.Errorf("%s/%s with %d layers", file.OS, file.Architecture, len(file.RootFS.DiffIDs))
	}
}

// Both platforms are pushed under one name, as OCI wants them.
func checkPush(t *testing.T, img v1.Image) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	idx, err := index([]string{"amd64", "arm64"}, map[string]v1.Image{"amd64": img, "arm64": img})
	if err != nil {
		t.Fatal(err)
	}
	list, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil || list.MediaType != types.OCIImageIndex || manifest.MediaType != types.OCIManifestSchema1 || manifest.Config.MediaType != types.OCIConfigJSON || manifest.Layers[0].MediaType != types.OCILayer {
		t.Errorf("list %s, manifest %+v: %v", list.MediaType, manifest, err)
	}
	where := strings.TrimPrefix(server.URL, "http://") + "/witfoo/signal-client:v1.2.3"
	if err := pushTo(where, idx); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(where)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "arm64"}))
	if err != nil || digest(t, pulled) != digest(t, img) {
		t.Errorf("pulled %v: %v", pulled, err)
	}
}

func digest(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// extract unpacks an image's layers into a directory.
func extract(t *testing.T, img v1.Image, root string) unpacked {
	t.Helper()
	u := unpacked{headers: map[string]*tar.Header{}, data: map[string][]byte{}}
	layers := mutate.Extract(img)
	defer layers.Close()
	for r := tar.NewReader(layers); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return u
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		u.headers[h.Name], u.data[h.Name], u.size = h, data, u.size+h.Size
		path := filepath.Join(root, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, h.FileInfo().Mode()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

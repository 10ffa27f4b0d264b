package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/witfoo/signal-client/deployments/checks/dockerfile"
)

// build is what an image is built from.
type build struct {
	root              string // of the repository
	version, revision string
	created           time.Time // of the image and its files
}

func (b build) date() string { return b.created.Format(time.RFC3339) }

// image builds the image of a platform around a program.
func (b build) image(arch, program string) (v1.Image, error) {
	s, err := dockerfile.Read(filepath.Join(b.root, "deployments/container/Dockerfile"),
		map[string]string{"VERSION": b.version, "REVISION": b.revision, "DATE": b.date()})
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: arch, Created: v1.Time{Time: b.created}, Config: s.Config,
		RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, err
	}
	for _, c := range s.Copies {
		data, err := b.layer(c, program)
		if err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
			tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: "COPY " + c.From + " " + c.To}})
		if err != nil {
			return nil, err
		}
	}
	return img, nil
}

// layer returns a layer with one file or directory, and the directories above it.
func (b build) layer(c dockerfile.Copy, program string) ([]byte, error) {
	file := tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}
	var data []byte
	switch c.From {
	case "/etc/ssl/certs/ca-certificates.crt":
		data = roots()
	case "/out/signal-client":
		var err error
		if data, err = os.ReadFile(program); err != nil {
			return nil, err
		}
		file.Mode = 0o755
	case "/out/data":
		file.Typeflag, file.Mode = tar.TypeDir, 0o700
	default:
		return nil, fmt.Errorf("deployments/checks/image does not know %s of the stage that builds", c.From)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	path := strings.TrimPrefix(c.To, "/")
	for i, r := range path {
		if r == '/' {
			above := tar.Header{Typeflag: tar.TypeDir, Name: path[:i+1], Mode: 0o755, ModTime: b.created}
			if err := w.WriteHeader(&above); err != nil {
				return nil, err
			}
		}
	}
	file.Name, file.Size, file.Uid, file.Gid, file.ModTime = path, int64(len(data)), c.UID, c.GID, b.created
	if err := w.WriteHeader(&file); err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	return layer.Bytes(), w.Close()
}

// roots returns Mozilla's certificate authorities as a PEM bundle, as Debian's package
// ca-certificates has them, but on any machine.
func roots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
	}
	return out.Bytes()
}

// program compiles signal-client as the Dockerfile does.
func (b build) program(arch, path string) error {
	const info = "github.com/witfoo/signal-client/cmd/signal-client/internal/build"
	flags := fmt.Sprintf("-s -w -X %[1]s.version=%[2]s -X %[1]s.revision=%[3]s -X %[1]s.date=%[4]s", info, b.version, b.revision, b.date())
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", path, "./cmd/signal-client")
	cmd.Dir, cmd.Stderr = b.root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	return cmd.Run()
}

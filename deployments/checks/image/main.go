package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	arch := flag.String("arch", "amd64,arm64", "platforms, comma separated")
	version := flag.String("version", "", "version of the program, such as v1.2.3")
	out := flag.String("out", "bin/image", "directory for the image, seen from the repository")
	push := flag.String("push", "", "where to push the image, such as ghcr.io/witfoo/signal-client:v1.2.3")
	flag.Parse()
	if err := run(strings.Split(*arch, ","), *version, *out, *push); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(archs []string, version, out, push string) error {
	b, err := newBuild(version)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(b.root, out)
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	images := map[string]v1.Image{}
	for _, arch := range archs {
		program := filepath.Join(out, "signal-client-"+arch)
		if err := b.program(arch, program); err != nil {
			return err
		}
		if images[arch], err = b.image(arch, program); err != nil {
			return err
		}
		archive := program + ".tar"
		if err := tarball.WriteToFile(archive, tagOf(version), images[arch]); err != nil {
			return err
		}
		if err := os.Remove(program); err != nil {
			return err
		}
		fmt.Printf("docker load -i %s   # %s\n", archive, tagOf(version))
	}
	idx, err := index(archs, images)
	if err != nil {
		return err
	}
	if _, err := layout.Write(filepath.Join(out, "oci"), idx); err != nil {
		return err
	}
	digest, err := idx.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s   # %s, %s\n", filepath.Join(out, "oci"), strings.Join(archs, " and "), digest)
	if push == "" {
		return nil
	}
	return pushTo(push, idx)
}

// tagOf is the image's name on a developer's machine, which the compose files use.
func tagOf(version string) name.Tag {
	if version == "" {
		version = "latest"
	}
	tag, _ := name.NewTag("signal-client:" + version)
	return tag
}

// index returns the list of the platforms' images.
func index(archs []string, images map[string]v1.Image) (v1.ImageIndex, error) {
	var all []mutate.IndexAddendum
	for _, arch := range archs {
		all = append(all, mutate.IndexAddendum{Add: images[arch], Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	return mutate.AppendManifests(empty.Index, all...), nil
}

func pushTo(where string, idx v1.ImageIndex) error {
	ref, err := name.ParseReference(where)
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(ref, idx, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return err
	}
	fmt.Println("pushed", ref)
	return nil
}

// newBuild asks git where the repository is and what is built; without git the revision is
// left out, and files are dated 1970.
func newBuild(version string) (build, error) {
	root, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return build{}, err
	}
	// deployments/checks/go.mod
	b := build{root: filepath.Join(filepath.Dir(strings.TrimSpace(string(root))), "../.."), version: version, created: time.Unix(0, 0).UTC()}
	if _, err := os.Stat(filepath.Join(b.root, "deployments/container/Dockerfile")); err != nil {
		return build{}, errors.Join(errors.New("call it as: go -C deployments/checks run ./image"), err)
	}
	said, err := exec.Command("git", "-C", b.root, "log", "-1", "--format=%H %ct").Output()
	if revision, seconds, ok := strings.Cut(strings.TrimSpace(string(said)), " "); err == nil && ok {
		b.revision = revision[:12]
		if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			b.created = time.Unix(n, 0).UTC()
		}
	}
	return b, nil
}

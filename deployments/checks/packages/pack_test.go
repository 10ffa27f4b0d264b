package packages

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// packed is a package to make as .goreleaser.yaml says.
type packed struct {
	format, version string
	environment     string // in place of the environment's file; empty: that one
	program         string // in place of the program, and compressed as in a release; empty: the program
}

// make returns the package's path.
func (p packed) make(t *testing.T) string {
	t.Helper()
	dir := release(t)
	c := configuration(t, p.version).Nfpms[0]
	here := func(file string) string {
		if rest, ok := strings.CutPrefix(file, "bin/packagefiles/"); ok {
			return filepath.Join(dir, "packagefiles", rest)
		}
		return filepath.Join(root, file)
	}
	for _, content := range c.Contents {
		if content.Source != "" {
			content.Source = here(content.Source)
		}
		if p.environment != "" && strings.HasSuffix(content.Destination, ".env") {
			content.Source = p.environment
		}
	}
	for _, script := range []*string{&c.Scripts.PreInstall, &c.Scripts.PostInstall, &c.Scripts.PreRemove, &c.Scripts.PostRemove} {
		if *script != "" {
			*script = here(*script)
		}
	}
	if p.program == "" { // 40 MB, which takes seconds to compress
		p.program, c.Deb.Compression, c.RPM.Compression = filepath.Join(dir, "signal-client"), "none", "zstd:fastest"
	}
	c.Contents = append(c.Contents, &files.Content{
		Source: p.program, Destination: c.Bindir + "/signal-client", FileInfo: &files.ContentFileInfo{Mode: 0o755, MTime: c.MTime},
	})
	info := nfpm.WithDefaults(&nfpm.Info{
		Overridables: c.Overridables, Name: c.PackageName, Arch: "amd64", Platform: "linux", Version: p.version, MTime: c.MTime,
		Vendor: c.Vendor, Maintainer: c.Maintainer, Homepage: c.Homepage, Description: c.Description, Section: c.Section,
	})
	packager, err := nfpm.Get(p.format)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), packager.ConventionalFileName(info))
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := packager.Package(info, out); err != nil {
		t.Fatal(err)
	}
	return path
}

// Two packages of a commit are equal, whenever they are made.
func TestPackagesAreReproducible(t *testing.T) {
	dir := release(t)
	program := filepath.Join(dir, "small")
	if err := os.WriteFile(program, []byte("not the program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"deb", "rpm"} {
		p := packed{format: format, version: version, program: program}
		one := read(t, p.make(t))
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chtimes(path, time.Time{}, committed.Add(time.Hour))
		})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, read(t, p.make(t))) {
			t.Errorf("%s: two packages differ", format)
		}
	}
}

// A page for each command and topic, with what plain text looks like in Markdown.
func TestManPages(t *testing.T) {
	dir := filepath.Join(release(t), "packagefiles", "man")
	for page, text := range map[string]string{
		"signal-client.1":               "OKTA_FQDN=acme.okta.com OKTA_API_TOKEN_FILE=okta.token signal-client run\n",
		"signal-client-cursor-rewind.1": "<name> --to <time or sequence>",
		"signal-client-configuration.7": "SIGNAL_CLIENT_DATA_DIR, --data-dir",
	} {
		packed, err := gzip.NewReader(bytes.NewReader(read(t, filepath.Join(dir, page+".gz"))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(packed)
		plain := strings.NewReplacer(`\-`, "-", `\&`, "").Replace(string(got))
		if err != nil || !strings.Contains(plain, text) {
			t.Errorf("%s has no %q: %v\n%s", page, text, err, got)
		}
	}
}

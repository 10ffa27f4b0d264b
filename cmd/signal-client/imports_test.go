package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/witfoo/signal-client/"

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

// under reports whether path is the package tree, or within it.
func under(tree, path string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

// arrow is what a package, or each package of a tree, may import of this module. A
// name that ends in /... is a tree without its root.
type arrow struct {
	from string
	to   []string
}

// program is the tree of the command.
const program = "cmd/signal-client"

// arrows are searched from the top: the first that fits a package counts. Those of
// packages that are still to come are here already.
var arrows = []arrow{
	{"schemas", nil},

	{"pipeline", []string{"schemas"}},
	{"pipeline/jsonscan", nil},
	{"pipeline/pipelinetest", []string{"pipeline", "pipeline/..."}},
	{"pipeline/...", []string{"pipeline", "pipeline/jsonscan"}},

	{"source", []string{"pipeline", "source/limiter"}},
	{"source/limiter", []string{"pipeline"}},
	{"source/page", []string{"pipeline", "pipeline/jsonscan"}},
	{"source/breaker", []string{"pipeline"}},
	{"source/okta/oktatest", []string{"pipeline"}},
	{"source/okta/oauth", []string{"pipeline"}},
	{"source/okta", []string{"pipeline", "pipeline/jsonscan", "schemas", "source", "source/limiter", "source/okta/oauth", "source/page"}},
	{"source/...", []string{"pipeline", "pipeline/jsonscan", "schemas", "source", "source/limiter", "source/page"}}, // a kind of source

	{"sink/embedded", []string{"pipeline"}},
	{"sink/jets/jetstest", []string{"pipeline", "sink/jets"}},
	{"sink/jets", []string{"pipeline", "pipeline/jsonscan", "schemas"}},
	{"sink/signals", []string{"pipeline", "pipeline/audit", "pipeline/jsonscan", "sink/jets"}},
	{"sink/locks", []string{"pipeline", "sink/jets"}},
	{"sink/buckets", []string{"pipeline", "pipeline/backfill", "schemas", "sink/jets"}},
	{"sink/deadletters", []string{"pipeline", "sink/jets", "sink/signals"}},
	{"sink/scan", []string{"pipeline", "pipeline/jsonscan", "sink/jets"}},
	{"sink/republish", []string{"pipeline", "sink/jets", "sink/scan"}},
	{"sink/search/child", []string{"sink/search"}},
	{"sink/search", []string{"pipeline", "pipeline/jsonscan", "sink/jets", "sink/scan"}},
	{"sink/overview", []string{"pipeline", "sink/buckets", "sink/jets", "sink/locks"}},

	{program + "/topics", []string{"pipeline"}},
	{program + "/internal/build", nil},
	{program + "/internal/term", []string{"pipeline"}},
	{program + "/internal/seal", []string{"pipeline"}},
	{program + "/internal/kinds", []string{"pipeline", "source", "source/..."}},
	{program + "/internal/problem", internals("source", "term")},
	// The OKTA_ variables configure one instance, which is named after its org's host.
	{program + "/internal/config", append(internals("source/okta", "term", "problem", "kinds", "seal"), "source", "source/page")},
	{program + "/internal/orgs", internals("source", "term", "problem", "kinds", "build")},
	{program + "/internal/telemetry", internals("source/breaker", "term", "problem", "build")},
	{program + "/internal/notify", internals("source")},
	// It serves orgs, where all others ask them.
	{program + "/internal/simulated", []string{"pipeline", "source/okta/oauth", "source/okta/oktatest"}},
	{program + "/internal/cli", internals("", "term", "problem", "kinds", "build", "config", "orgs")},
	{program + "/internal/consoleclient", internals("", "term", "problem", "config")},
	{program + "/internal/...", nil}, // a new one needs an arrow of its own
	{program + "/console/page", []string{program + "/console/access"}},
	{program + "/console/signalpages", append(internals("", "problem"), program+"/console/access", program+"/console/page", program+"/console/view")},
	{program + "/console/access", internals("", "problem")},
	{program + "/console/view", append(internals("", "problem", "kinds", "orgs"), program+"/console/access")},
	{program + "/console/notificationpages", append(internals("", "problem", "notify", "telemetry"), program+"/console/access", program+"/console/page")},
	{program + "/console/api", append(internals("source", "problem", "kinds", "build", "orgs", "notify"), program+"/console/access", program+"/console/view")},
	{program + "/console/fleetpages", append(internals("", "kinds", "orgs"), program+"/console/access", program+"/console/page", program+"/console/view")},
	{program + "/console", append(internals("source", "problem", "kinds", "build", "config", "orgs", "notify", "telemetry"), program+"/console/...")}, // neither cli nor term

	{program + "/run", append(internals("source/breaker"), program+"/internal/...", "source", "source/limiter", "source/page")},
	{program + "/demo", append(internals(""), program+"/internal/...", program+"/run")},
	{program + "/audit", append(internals("source/limiter"), program+"/internal/...", "source")},
	{program + "/doctor", append(internals("source"), program+"/internal/...")},
	{program + "/...", append(internals(""), program+"/internal/...")}, // another command: it names no kind of source
}

// internals are the named packages below internal, with what all of the command may
// import: the domain, the sinks and the topics; and one source, if any.
func internals(source string, names ...string) []string {
	may := []string{"pipeline", "pipeline/...", "schemas", "sink/...", program + "/topics"}
	if source != "" {
		may = append(may, source)
	}
	for _, name := range names {
		may = append(may, program+"/internal/"+name)
	}
	return may
}

// helpers are packages that only tests import, and that may import what they like.
var helpers = []string{"sink/jets/jetstest", "sink/search/searchtest", "sink/sinktest", "sink/sim", "source/okta/oktatest", "pipeline/pipelinetest", program + "/internal/clitest"}

// simulations are the packages of sinks whose tests import sources too: an org, a
// server and pollers in one bubble.
var simulations = []string{"sink/sim", "sink/sinktest", "sink/jets", "sink/signals", "sink/locks", "sink/deadletters", "sink/search"}

// fits reports whether a pattern of arrows names the package.
func fits(pattern, path string) bool {
	tree, below := strings.CutSuffix(pattern, "/...")
	if below {
		return strings.HasPrefix(path, tree+"/")
	}
	return path == pattern
}

// arrowOf is what a package may import; ok is false where no arrow fits.
func arrowOf(path string) (a arrow, ok bool) {
	i := slices.IndexFunc(arrows, func(a arrow) bool { return fits(a.from, path) })
	if i < 0 {
		return a, false
	}
	return arrows[i], true
}

// barred are the packages that a tree must not reach, through whatever it
// imports.
var barred = map[string][]string{
	"schemas":  {"github.com/nats-io", "net/http", "github.com/kelseyhightower/envconfig"},
	"pipeline": {"github.com/nats-io", "net/http", "github.com/kelseyhightower/envconfig", "github.com/prometheus", "github.com/spf13"},
	"source":   {"github.com/nats-io", "github.com/kelseyhightower/envconfig", "github.com/prometheus", "github.com/spf13"},
	"sink":     {"github.com/kelseyhightower/envconfig", "github.com/prometheus", "github.com/spf13", "github.com/sony/gobreaker"},
}

// forbidden lists the imports of the program's packages that no arrow allows. The
// command tree itself may import all, and so may tests and their helpers.
func forbidden(packages []goPackage) []string {
	var found []string
	for _, p := range packages {
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || path == program || slices.Contains(helpers, path) {
			continue
		}
		a, ok := arrowOf(path)
		if !ok {
			found = append(found, path+" has no place in the design's tree")
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && !slices.ContainsFunc(a.to, func(pattern string) bool { return fits(pattern, to) }) {
				found = append(found, path+" imports "+to)
			}
		}
	}
	return found
}

// What imports what is as the design draws it: command tree → commands → internal,
// sinks and domain; sinks → jets → domain; kinds of sources → limiter, page → domain.
// Commands don't import each other, the console imports nothing that is for a
// terminal, and sources and sinks don't know each other.
func TestImportDirections(t *testing.T) {
	for _, f := range forbidden(listPackages(t, "./...")) {
		t.Error(f)
	}
}

// Tests of the domain, of sources and of sinks don't import across either.
func TestImportDirectionsOfTests(t *testing.T) {
	for _, p := range listPackages(t, "./...") {
		path, _ := strings.CutPrefix(p.ImportPath, module)
		tree, _, _ := strings.Cut(path, "/")
		barred := map[string][]string{"schemas": {"pipeline", "sink", "source", "cmd"}, "pipeline": {"sink", "source", "cmd"}, "source": {"sink", "cmd"}, "sink": {"source", "cmd"}}[tree]
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			to, ours := strings.CutPrefix(imported, module)
			at, _, _ := strings.Cut(to, "/")
			if ours && slices.Contains(barred, at) && !(at == "source" && slices.Contains(simulations, path)) {
				t.Errorf("a test of %s imports %s", path, to)
			}
		}
	}
}

// The tests above report a forbidden import and accept an allowed one.
func TestImportDirectionsAreNoticed(t *testing.T) {
	for _, c := range []struct {
		from, to string
		allowed  bool
	}{
		{program + "/status", program + "/doctor", false},
		{program + "/demo", program + "/run", true},
		{program + "/run", program + "/demo", false},
		{program + "/console", program + "/internal/orgs", true},
		{program + "/console", program + "/internal/term", false},
		{program + "/console", program + "/internal/cli", false},
		{program + "/search", "sink/search", true},
		{program + "/search", "source/okta", false},
		{program + "/internal/term", program + "/internal/problem", false},
		{program + "/internal/problem", program + "/internal/config", false},
		{program + "/internal/problem", "source/okta", false},
		{program + "/internal/orgs", "source/okta", false},
		{program + "/run", "source/okta", false},
		{program + "/doctor", "source/okta", false},
		{program + "/cursor", "source/okta", false},
		{program + "/internal/orgs", program + "/internal/cli", false},
		{program + "/internal/orgs", program + "/internal/config", false},
		{program + "/internal/telemetry", program + "/internal/config", false},
		{program + "/internal/unheard", program + "/internal/build", false},
		{"sink/locks", "sink/signals", false},
		{"sink/signals", "source/okta", false},
		{"sink/jets", "sink/locks", false},
		{"source/auth0", "source/limiter", true},
		{"source/auth0", "source/okta", false},
		{"source/limiter", "source/page", false},
		{"source/okta", "sink/jets", false},
		{"pipeline", "pipeline/fleet", false},
		{"pipeline/audit", "pipeline/backfill", false},
		{"schemas", "pipeline", false},
		{"util", "schemas", false},
	} {
		found := forbidden([]goPackage{{ImportPath: module + c.from, Imports: []string{"fmt", module + c.to}}})
		if (len(found) == 0) != c.allowed {
			t.Errorf("%s imports %s: allowed is %v: %q", c.from, c.to, c.allowed, found)
		}
	}
}

// The domain knows no NATS, no HTTP and no environment, however far one follows
// the imports.
func TestBarredDependencies(t *testing.T) {
	packages := listPackages(t, "./...")
	for _, p := range packages {
		path, _ := strings.CutPrefix(p.ImportPath, module)
		for tree, trees := range barred {
			if !under(tree, path) {
				continue
			}
			for _, dep := range p.Deps {
				for _, no := range trees {
					if under(no, dep) {
						t.Errorf("%s reaches %s", path, dep)
					}
				}
			}
		}
	}
}

// The tests above see every package.
func TestListPackagesSeesThem(t *testing.T) {
	packages := listPackages(t, "./...")
	for _, want := range []string{"cmd/signal-client", "pipeline", "schemas", "source/okta", "sink/jets", "sink/signals"} {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == module+want && len(p.Deps) > 0 }) {
			t.Errorf("go list doesn't know %s", want)
		}
	}
}

// Only this package, and tests, read the environment; and source/okta the one variable that
// an integration names for its token.
func TestEnvironmentIsReadHereOnly(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "cmd" || strings.HasSuffix(d.Name(), "test") || d.Name() == "checks" || d.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "../../source/okta/token.go":
			return nil
		}
		source, err := os.ReadFile(path)
		for _, call := range []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "syscall.Getenv"} {
			if bytes.Contains(source, []byte(call+"(")) {
				t.Errorf("%s calls %s", path, call)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func listPackages(t *testing.T, pattern string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", pattern)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

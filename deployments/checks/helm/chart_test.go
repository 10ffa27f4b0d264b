package helm

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

const chartDir = "../../kubernetes/chart"

// valueFiles are those below ci, and what the pods of each are.
var valueFiles = map[string]string{
	"minimal":     "Deployment",
	"embedded":    "StatefulSet",
	"credentials": "Deployment",
	"replicas":    "Deployment",
	"console":     "StatefulSet",
	"development": "StatefulSet",
}

// loadChart returns the chart. Each test loads its own, because rendering changes it.
func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readValues(t *testing.T, file string) chartutil.Values {
	t.Helper()
	values, err := chartutil.ReadValuesFile(filepath.Join(chartDir, "ci", file+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// render renders the chart as helm install does, and returns each file's text.
func render(c *chart.Chart, values chartutil.Values) (map[string]string, error) {
	release := chartutil.ReleaseOptions{Name: "signals", Namespace: "siem", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// decoder refuses fields that Kubernetes or the Prometheus Operator does not have.
var decoder = func() runtime.Decoder {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoring.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(s, serializer.EnableStrict).UniversalDeserializer()
}()

// objects returns the objects that the chart makes of a value file, and its notes.
func objects(t *testing.T, file string) (all []runtime.Object, notes string) {
	t.Helper()
	texts, err := render(loadChart(t), readValues(t, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			notes = texts[name]
			continue
		}
		for _, text := range strings.Split(texts[name], "\n---\n") {
			if strings.TrimSpace(text) == "" {
				continue
			}
			object, _, err := decoder.Decode([]byte(text), nil, nil)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, text)
			}
			all = append(all, object)
		}
	}
	return all, notes
}

// one returns the only object of its type.
func one[T runtime.Object](t *testing.T, all []runtime.Object) T {
	t.Helper()
	found := every[T](all)
	if len(found) != 1 {
		t.Fatalf("%d of %T, want 1", len(found), *new(T))
	}
	return found[0]
}

func every[T runtime.Object](all []runtime.Object) []T {
	var found []T
	for _, object := range all {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// merged returns values with others laid over them, given as key and value, such as
// "console.enabled", true.
func merged(t *testing.T, values chartutil.Values, pairs ...any) chartutil.Values {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		path := strings.Split(pairs[i].(string), ".")
		at := map[string]any(values)
		for _, name := range path[:len(path)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
		at[path[len(path)-1]] = pairs[i+1]
	}
	return values
}

// repository returns a file of the repository.
func repository(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

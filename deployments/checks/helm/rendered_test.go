package helm

import (
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	budget "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm tells of each symbolic link
	dir, err := os.MkdirTemp("", "helm-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func TestLint(t *testing.T) {
	for file := range valueFiles {
		result := lint.AllWithKubeVersion(chartDir, readValues(t, file), "siem", nil)
		for _, m := range result.Messages {
			if m.Severity > support.InfoSev { // an icon is recommended
				t.Errorf("%s: %v", file, m)
			}
		}
	}
}

// Every value file renders to objects that Kubernetes would take: no field that is
// misspelt, none missing that it needs, names that it allows, and references that lead to
// something.
func TestRendered(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(chartDir, "ci", "*.yaml"))
	if err != nil || len(files) != len(valueFiles) {
		t.Fatalf("%d value files, want %d: %v", len(files), len(valueFiles), err)
	}
	for file, kind := range valueFiles {
		t.Run(file, func(t *testing.T) {
			all, notes := objects(t, file)
			for _, object := range all {
				checkNeeded(t, object)
				checkNames(t, object)
			}
			template, labelled := workload(t, all, kind)
			checkPod(t, template.Spec)
			checkSelectors(t, all, labelled)
			test := one[*core.Pod](t, all)
			checkPod(t, test.Spec)
			for _, path := range []string{"/healthz", "/readyz"} {
				if !strings.Contains(fmt.Sprint(template.Spec.Containers[0]), path) {
					t.Errorf("no probe asks %s", path)
				}
			}
			if live := template.Spec.Containers[0].LivenessProbe; live == nil || live.HTTPGet.Path != "/healthz" {
				t.Errorf("liveness probe %v: a restart helps neither against NATS nor against Okta", live)
			}
			if !strings.Contains(notes, "helm test signals -n siem") || strings.Contains(notes, "<no value>") {
				t.Errorf("notes:\n%s", notes)
			}
		})
	}
}

// workload returns the pods' template, and the labels that a pod keeps in an upgrade: those
// that a selector may ask for.
func workload(t *testing.T, all []runtime.Object, kind string) (core.PodTemplateSpec, labels.Set) {
	t.Helper()
	var template core.PodTemplateSpec
	switch kind {
	case "StatefulSet":
		set := one[*apps.StatefulSet](t, all)
		template = set.Spec.Template
		for _, claim := range set.Spec.VolumeClaimTemplates {
			template.Spec.Volumes = append(template.Spec.Volumes, core.Volume{Name: claim.Name, VolumeSource: core.VolumeSource{
				PersistentVolumeClaim: &core.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}})
		}
	case "Deployment":
		template = one[*apps.Deployment](t, all).Spec.Template
	}
	kept := maps.Clone(template.Labels)
	delete(kept, "app.kubernetes.io/version")
	delete(kept, "helm.sh/chart")
	return template, kept
}

// checkNeeded reports fields that are not set although Kubernetes' type does not let them
// be left out.
func checkNeeded(t *testing.T, object runtime.Object) {
	t.Helper()
	v := reflect.ValueOf(object).Elem()
	kind := v.FieldByName("TypeMeta").Interface().(meta.TypeMeta).Kind
	for _, path := range needed(v.FieldByName("Spec"), "spec") {
		t.Errorf("%s: %s is not set", kind, path)
	}
}

func needed(v reflect.Value, at string) []string {
	var missing []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return needed(v.Elem(), at)
		}
	case reflect.Slice:
		for i := range v.Len() {
			missing = append(missing, needed(v.Index(i), fmt.Sprintf("%s[%d]", at, i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") || strings.Contains(options, "inline") || name == ""
			if !optional && v.Field(i).IsZero() && field.Type.Kind() != reflect.Bool {
				missing = append(missing, at+"."+name)
			}
			if field.IsExported() {
				missing = append(missing, needed(v.Field(i), at+"."+name)...)
			}
		}
	}
	return missing
}

func checkNames(t *testing.T, object runtime.Object) {
	t.Helper()
	o := object.(meta.Object)
	if faults := validation.IsDNS1123Subdomain(o.GetName()); len(faults) > 0 {
		t.Errorf("name %q: %v", o.GetName(), faults)
	}
	for key, value := range o.GetLabels() {
		if faults := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(faults) > 0 {
			t.Errorf("%s: label %s=%q: %v", o.GetName(), key, value, faults)
		}
	}
}

// checkPod holds a pod against the Pod Security Standard restricted, and its parts against
// each other.
func checkPod(t *testing.T, pod core.PodSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	if r := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &meta.ObjectMeta{}, &pod)); !r.Allowed {
		t.Errorf("not restricted: %s", r.ForbiddenDetail())
	}
	if a := pod.AutomountServiceAccountToken; a == nil || *a {
		t.Error("the pod has the token of a service account")
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		if volumes[v.Name] {
			t.Errorf("two volumes %s", v.Name)
		}
		volumes[v.Name] = true
		if faults := validation.IsDNS1123Label(v.Name); len(faults) > 0 {
			t.Errorf("volume %q: %v", v.Name, faults)
		}
	}
	used := map[string]bool{}
	for _, c := range pod.Containers {
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Errorf("%s can write to its root", c.Name)
		}
		paths, variables := map[string]bool{}, map[string]bool{}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] || paths[m.MountPath] {
				t.Errorf("%s: mount of %s at %s", c.Name, m.Name, m.MountPath)
			}
			paths[m.MountPath], used[m.Name] = true, true
		}
		for _, e := range c.Env {
			if variables[e.Name] {
				t.Errorf("%s: two variables %s", c.Name, e.Name)
			}
			variables[e.Name] = true
		}
		checkProbes(t, c)
	}
	if len(used) != len(volumes) {
		t.Errorf("mounted %v of %v", used, volumes)
	}
}

func checkProbes(t *testing.T, c core.Container) {
	t.Helper()
	for _, p := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if p == nil {
			continue
		}
		if !slices.ContainsFunc(c.Ports, func(port core.ContainerPort) bool { return port.Name == p.HTTPGet.Port.StrVal }) {
			t.Errorf("%s: a probe asks port %s", c.Name, &p.HTTPGet.Port)
		}
	}
}

// checkSelectors reports selectors that don't select the pods, and ports that the pods
// don't have.
func checkSelectors(t *testing.T, all []runtime.Object, pod labels.Set) {
	t.Helper()
	selects := func(what string, s *meta.LabelSelector) {
		selector, err := meta.LabelSelectorAsSelector(s)
		if err != nil || s == nil || selector.Empty() || !selector.Matches(pod) {
			t.Errorf("%s selects %v, not a pod with %v: %v", what, selector, pod, err)
		}
	}
	ports := map[string]bool{}
	containers := []core.Container{}
	for _, o := range every[*apps.Deployment](all) {
		selects("Deployment", o.Spec.Selector)
		containers = o.Spec.Template.Spec.Containers
	}
	for _, o := range every[*apps.StatefulSet](all) {
		selects("StatefulSet", o.Spec.Selector)
		containers = o.Spec.Template.Spec.Containers
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			ports[p.Name] = true
		}
	}
	service := one[*core.Service](t, all)
	selects("Service", &meta.LabelSelector{MatchLabels: service.Spec.Selector})
	served := map[string]bool{}
	for _, p := range service.Spec.Ports {
		served[p.Name] = true
		if !ports[p.TargetPort.StrVal] {
			t.Errorf("Service: no pod has port %s", &p.TargetPort)
		}
	}
	for _, o := range every[*budget.PodDisruptionBudget](all) {
		selects("PodDisruptionBudget", o.Spec.Selector)
	}
	for _, o := range every[*networking.NetworkPolicy](all) {
		selects("NetworkPolicy", &o.Spec.PodSelector)
		for _, rule := range o.Spec.Ingress {
			if !ports[rule.Ports[0].Port.StrVal] {
				t.Errorf("NetworkPolicy: no pod has port %s", rule.Ports[0].Port)
			}
		}
	}
	for _, o := range every[*networking.Ingress](all) {
		backend := o.Spec.Rules[0].HTTP.Paths[0].Backend.Service
		if backend.Name != service.Name || backend.Port.Name != "console" || !served["console"] {
			t.Errorf("Ingress leads to %v", backend)
		}
	}
	for _, o := range every[*monitoring.ServiceMonitor](all) {
		selector, err := meta.LabelSelectorAsSelector(&o.Spec.Selector)
		if err != nil || !selector.Matches(labels.Set(service.Labels)) || !served[o.Spec.Endpoints[0].Port] {
			t.Errorf("ServiceMonitor selects %v at %s: %v", selector, o.Spec.Endpoints[0].Port, err)
		}
	}
	if test := one[*core.Pod](t, all); labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(test.Labels)) {
		t.Error("the Service leads to the pod of helm test")
	}
}

// The alerts and dashboards are those of deployments/prometheus and deployments/grafana.
func TestOneSource(t *testing.T) {
	all, _ := objects(t, "replicas")
	rule := one[*monitoring.PrometheusRule](t, all)
	var want monitoring.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict([]byte(repository(t, "deployments/prometheus/rules.yaml")), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rule.Spec, want) || len(want.Groups) == 0 {
		t.Errorf("the rules differ from deployments/prometheus/rules.yaml")
	}
	dashboards := map[string]string{"signal-client-fleet.json": "fleet.json", "signal-client-org.json": "org.json", "signal-client-security.json": "search/security.json"}
	withSearch, _ := objects(t, "console")
	for _, file := range []struct {
		objects []runtime.Object
		want    int
	}{{all, 2}, {withSearch, 3}} {
		found := every[*core.ConfigMap](file.objects)
		if len(found) != file.want {
			t.Errorf("%d dashboards, want %d", len(found), file.want)
		}
		for _, m := range found {
			for name, text := range m.Data {
				if dashboards[name] == "" || strings.TrimSpace(text) != strings.TrimSpace(repository(t, "deployments/grafana/"+dashboards[name])) {
					t.Errorf("%s differs from deployments/grafana", name)
				}
			}
		}
	}
	// What Prometheus adds to each target is the job that the alerts look for.
	job := one[*monitoring.ServiceMonitor](t, all).Spec.Endpoints[0].RelabelConfigs[0]
	if job.TargetLabel != "job" || job.Replacement == nil || !strings.Contains(repository(t, "deployments/prometheus/rules.yaml"), `job="`+*job.Replacement+`"`) {
		t.Errorf("job %v is not the one of the alerts", job)
	}
}

// The chart names Secrets, and makes none.
func TestNoSecret(t *testing.T) {
	for file := range valueFiles {
		all, _ := objects(t, file)
		if found := every[*core.Secret](all); len(found) > 0 {
			t.Errorf("%s: %v", file, found)
		}
	}
}

// Several pods may be lost one at a time, and are spread over nodes.
func TestReplicas(t *testing.T) {
	all, _ := objects(t, "replicas")
	pod := one[*apps.Deployment](t, all).Spec.Template.Spec
	if got := one[*budget.PodDisruptionBudget](t, all).Spec.MaxUnavailable; got == nil || got.IntValue() != 1 {
		t.Errorf("%v pods may be lost", got)
	}
	if len(pod.TopologySpreadConstraints) != 1 || pod.PriorityClassName != "high" || len(pod.Tolerations) != 1 || len(pod.NodeSelector) != 1 {
		t.Errorf("placement: %v %q %v %v", pod.TopologySpreadConstraints, pod.PriorityClassName, pod.Tolerations, pod.NodeSelector)
	}
	minimal, _ := objects(t, "minimal")
	if n := len(every[*budget.PodDisruptionBudget](minimal)); n != 0 {
		t.Error("a budget for a single pod would block the drain of its node")
	}
}

// Values that are misspelt or can't work together are refused, with what to do.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		file   string
		values []any
		want   string
	}{
		{"misspelt", "minimal", []any{"nats.urls", "nats://nats:4222"}, "urls"},
		{"misspelt section", "minimal", []any{"natz.url", "nats://nats:4222"}, "natz"},
		{"number in env", "minimal", []any{"env.SIGNAL_CLIENT_MAX_IN_FLIGHT", 1000000}, "want string"},
		{"password in the URL", "minimal", []any{"nats.url", "nats://user:pass@nats:4222"}, "url"},
		{"pull policy", "minimal", []any{"image.pullPolicy", "Sometimes"}, "pullPolicy"},
		{"many pods beside an embedded server", "embedded", []any{"replicaCount", 2}, "set nats.url, or replicaCount=1"},
		{"copies beside an embedded server", "embedded", []any{"nats.replicas", 3}, "keeps one copy"},
		{"credentials of an embedded server", "embedded", []any{"nats.credentials.secret.name", "creds"}, "set nats.url"},
		{"open console", "minimal", []any{"console.enabled", true}, "open to everyone"},
		{"proxy and OIDC", "console", []any{"console.proxy.auth", true}, "unset one of them"},
		{"proxy without addresses", "minimal", []any{"console.enabled", true, "console.proxy.auth", true}, "set console.proxy.addresses"},
		{"OIDC without a client", "console", []any{"console.oidc.clientId", ""}, "set console.oidc.clientId"},
		{"ingress without a console", "console", []any{"console.enabled", false}, "set console.enabled"},
		{"ingress without a host", "console", []any{"ingress.host", ""}, "set ingress.host"},
		{"org without a token", "minimal", []any{"okta.fqdn", "acme.okta.com"}, "set okta.apiToken.secret.name"},
		{"URL as org", "minimal", []any{"okta.fqdn", "https://acme.okta.com"}, "fqdn"},
		{"app without a key", "minimal", []any{"okta.fqdn", "acme.okta.com", "okta.app.clientId", "0oa1"}, "set okta.app.keyId"},
		{"two orgs", "embedded", []any{"simulator.enabled", true}, "unset okta"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := render(loadChart(t), merged(t, readValues(t, test.file), test.values...))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// What a user sets is what the pod has, and it wins.
func TestEnv(t *testing.T) {
	values := merged(t, readValues(t, "minimal"), "env.SIGNAL_CLIENT_LOG_FORMAT", "console", "env.SIGNAL_CLIENT_LOG_LEVEL", "debug",
		"extraEnv", []any{map[string]any{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}})
	texts, err := render(loadChart(t), values)
	if err != nil {
		t.Fatal(err)
	}
	object, _, err := decoder.Decode([]byte(texts["signal-client/templates/workload.yaml"]), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range object.(*apps.Deployment).Spec.Template.Spec.Containers[0].Env {
		got[e.Name] = e.Value
	}
	for name, want := range map[string]string{"SIGNAL_CLIENT_LOG_FORMAT": "console", "SIGNAL_CLIENT_LOG_LEVEL": "debug", "HTTPS_PROXY": "http://proxy:3128", "NATS_URL": "nats://nats.nats.svc:4222"} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
}

package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
	security "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	sigsyaml "sigs.k8s.io/yaml"
)

const chart = root + "/deploy/helm/fastmcp-auth"

// kinds are the types that documents are read into: a field or a shape that Kubernetes does not know is a fault.
var kinds = map[string]func() metav1.Object{
	"v1/ServiceAccount":                      func() metav1.Object { return &corev1.ServiceAccount{} },
	"v1/ConfigMap":                           func() metav1.Object { return &corev1.ConfigMap{} },
	"v1/PersistentVolumeClaim":               func() metav1.Object { return &corev1.PersistentVolumeClaim{} },
	"v1/Service":                             func() metav1.Object { return &corev1.Service{} },
	"apps/v1/Deployment":                     func() metav1.Object { return &appsv1.Deployment{} },
	"networking.k8s.io/v1/Ingress":           func() metav1.Object { return &networkingv1.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy":     func() metav1.Object { return &networkingv1.NetworkPolicy{} },
	"policy/v1/PodDisruptionBudget":          func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	"autoscaling/v2/HorizontalPodAutoscaler": func() metav1.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"monitoring.coreos.com/v1/PodMonitor":    func() metav1.Object { return &monitoringv1.PodMonitor{} },
}

// sets are the values that the chart is rendered with, by name.
func sets(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatal("sets of values:", files, err)
	}
	sets := map[string]map[string]any{}
	for _, file := range files {
		values, err := loader.LoadValues(bytes.NewReader(read(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		sets[strings.TrimSuffix(filepath.Base(file), ".yaml")] = values
	}
	return sets
}

// render is "helm template": the values' schema, then the templates. It returns the files by name.
func render(values map[string]any) (map[string]string, error) {
	c, err := loader.Load(chart)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "tools", Namespace: "mcp", Revision: 1, IsInstall: true}
	with, err := util.ToRenderValues(c, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, with)
}

// manifests reads every document of the rendered files into the type that Kubernetes has for it.
func manifests(t *testing.T, values map[string]any) []metav1.Object {
	t.Helper()
	files, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	var all []metav1.Object
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text)))
		buffer := make([]byte, 1<<20)
		for {
			n, err := documents.Read(buffer)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(name, err)
			}
			if document := buffer[:n]; len(bytes.TrimSpace(document)) > 0 {
				all = append(all, decode(t, name, document))
			}
		}
	}
	return all
}

func decode(t *testing.T, name string, document []byte) metav1.Object {
	t.Helper()
	var meta metav1.TypeMeta
	if err := sigsyaml.Unmarshal(document, &meta); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, document)
	}
	fresh := kinds[meta.APIVersion+"/"+meta.Kind]
	if fresh == nil {
		t.Fatalf("%s: %s %s is unknown\n%s", name, meta.APIVersion, meta.Kind, document)
	}
	o := fresh()
	if err := sigsyaml.UnmarshalStrict(document, o); err != nil {
		t.Errorf("%s: %v\n%s", name, err, document)
	}
	return o
}

// one is the only object of its type, or nil.
func one[T metav1.Object](t *testing.T, all []metav1.Object) (found T) {
	t.Helper()
	n := 0
	for _, o := range all {
		if typed, ok := o.(T); ok {
			found = typed
			n++
		}
	}
	if n > 1 {
		t.Errorf("%d of %T", n, found)
	}
	return found
}

func TestChartHasNoFindings(t *testing.T) {
	for name, values := range sets(t) {
		t.Run(name, func(t *testing.T) {
			result := lint.RunAll(chart, values, "mcp")
			for _, m := range result.Messages {
				if m.Severity > support.InfoSev {
					t.Error(m)
				}
			}
		})
	}
}

// TestChartRefuses shows values that would put a secret into a ConfigMap, or that cannot work.
func TestChartRefuses(t *testing.T) {
	least := sets(t)["keycloak"]
	rows := map[string]struct {
		change map[string]any
		says   string
	}{
		"no image":                        {map[string]any{"image": map[string]any{"repository": ""}}, "repository"},
		"no public URL":                   {map[string]any{"settings": map[string]any{"public_url": ""}}, "public_url"},
		"a public URL with a path":        {map[string]any{"settings": map[string]any{"public_url": "https://mcp.example.com/mcp"}}, "public_url"},
		"no provider":                     {map[string]any{"settings": map[string]any{"provider": map[string]any{"kind": ""}}}, "kind"},
		"a secret among the settings":     {map[string]any{"settings": map[string]any{"provider": map[string]any{"introspection": map[string]any{"client_secret": "s"}}}}, "client_secret"},
		"an address of one's own":         {map[string]any{"settings": map[string]any{"addr": ":9000"}}, "addr"},
		"a secret without its key":        {map[string]any{"secrets": map[string]any{"auditHashKey": map[string]any{"name": "s"}}}, "key"},
		"a misspelt value":                {map[string]any{"replica": 3}, "replica"},
		"a digest that is none":           {map[string]any{"image": map[string]any{"digest": "latest"}}, "digest"},
		"a path of a policy of one's own": {map[string]any{"settings": map[string]any{"policy": map[string]any{"file": "x"}}}, "policy"},
		"a store among the settings":      {map[string]any{"settings": map[string]any{"store": map[string]any{"kind": "redis"}}}, "store"},
		"a console's secret in settings":  {map[string]any{"settings": map[string]any{"console": map[string]any{"client_secret": "s"}}}, "client_secret"},
		"a store there is none of":        {map[string]any{"store": map[string]any{"kind": "etcd"}}, "kind"},
		"a file for two replicas":         {map[string]any{"store": map[string]any{"kind": "sqlite"}}, "replicas"},
		"a file for pods that multiply":   {map[string]any{"replicas": 1, "store": map[string]any{"kind": "sqlite"}, "autoscaling": map[string]any{"enabled": true}}, "autoscaling"},
		"a Redis without an address":      {map[string]any{"store": map[string]any{"kind": "redis"}, "secrets": map[string]any{"storeKey": map[string]any{"name": "s", "key": "k"}}}, "storeURL"},
		"a Redis without a key":           {map[string]any{"store": map[string]any{"kind": "redis"}, "secrets": map[string]any{"storeURL": map[string]any{"name": "s", "key": "k"}}}, "storeKey"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			_, err := render(loader.MergeMaps(least, row.change))
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want a fault that names %s", err, row.says)
			}
		})
	}
	if _, err := render(map[string]any{}); err == nil {
		t.Error("the chart renders without a provider")
	}
}

func TestChartRendersWhatKubernetesKnows(t *testing.T) {
	wanted := map[string][]string{
		"keycloak": {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"everything": {"ConfigMap", "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PodDisruptionBudget",
			"PodMonitor", "Service", "ServiceAccount"},
		"little": {"ConfigMap", "Deployment", "Service"},
		"sqlite": {"ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget", "Service", "ServiceAccount"},
		"redis":  {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
	}
	for name, values := range sets(t) {
		t.Run(name, func(t *testing.T) {
			all := manifests(t, values)
			var got []string
			for _, o := range all {
				kind := fmt.Sprintf("%T", o)
				got = append(got, kind[strings.LastIndex(kind, ".")+1:])
				if faults := validation.IsDNS1123Label(o.GetName()); len(faults) > 0 {
					t.Errorf("%T: name %q: %v", o, o.GetName(), faults)
				}
				for key, value := range o.GetLabels() {
					if faults := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(faults) > 0 {
						t.Errorf("%T: label %s: %q: %v", o, key, value, faults)
					}
				}
			}
			slices.Sort(got)
			if want, known := wanted[name]; known && !slices.Equal(got, want) {
				t.Errorf("rendered %v, want %v", got, want)
			}
			deployment := one[*appsv1.Deployment](t, all)
			template := &deployment.Spec.Template
			restricted(t, template)
			selects(t, all, template.Labels)
			mounted(t, all, &template.Spec)
			stored(t, all, &deployment.Spec)
			private(t, all)
		})
	}
}

// restricted holds the pod against the strictest of the pod security standards.
func restricted(t *testing.T, pod *corev1.PodTemplateSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(security.LevelVersion{Level: security.LevelRestricted, Version: security.LatestVersion()},
		&pod.ObjectMeta, &pod.Spec))
	if !result.Allowed {
		t.Error("not restricted:", result.ForbiddenDetail())
	}
	c := pod.Spec.Containers[0]
	if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		t.Error("the root of the container can be written")
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the pod is given a token of the cluster")
	}
	if pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks {
		t.Error("the pod is given variables of services, whose names the program would refuse")
	}
}

// selects holds every selector against the labels of the pods.
func selects(t *testing.T, all []metav1.Object, labels map[string]string) {
	t.Helper()
	for _, o := range all {
		var selector map[string]string
		switch o := o.(type) {
		case *corev1.Service:
			selector = o.Spec.Selector
		case *appsv1.Deployment:
			selector = o.Spec.Selector.MatchLabels
		case *policyv1.PodDisruptionBudget:
			selector = o.Spec.Selector.MatchLabels
		case *networkingv1.NetworkPolicy:
			selector = o.Spec.PodSelector.MatchLabels
		case *monitoringv1.PodMonitor:
			selector = o.Spec.Selector.MatchLabels
		default:
			continue
		}
		if len(selector) == 0 {
			t.Errorf("%T selects every pod", o)
		}
		for key, value := range selector {
			if labels[key] != value {
				t.Errorf("%T selects %s=%s, which the pod is not", o, key, value)
			}
		}
	}
}

// mounted holds mounts against volumes, and volumes against what else is rendered.
func mounted(t *testing.T, all []metav1.Object, pod *corev1.PodSpec) {
	t.Helper()
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if _, there := volumes[m.Name]; !there {
			t.Errorf("%s is mounted and is no volume", m.Name)
		}
		if m.SubPath != "" {
			t.Errorf("%s is mounted by its name, and so would never change", m.MountPath)
		}
		for _, other := range pod.Containers[0].VolumeMounts {
			if strings.HasPrefix(m.MountPath, other.MountPath+"/") {
				t.Errorf("%s is mounted within %s, which is read-only", m.MountPath, other.MountPath)
			}
		}
	}
	for _, o := range all {
		if m, ok := o.(*corev1.ConfigMap); ok {
			used := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil && v.ConfigMap.Name == m.Name })
			if !used {
				t.Errorf("nobody mounts %s", m.Name)
			}
		}
	}
}

// stored holds the claim of a volume against the pod that has it, alone: one process has the file in it.
func stored(t *testing.T, all []metav1.Object, d *appsv1.DeploymentSpec) {
	t.Helper()
	claim := one[*corev1.PersistentVolumeClaim](t, all)
	if claim == nil {
		return
	}
	if len(claim.Spec.AccessModes) != 1 || claim.Spec.Resources.Requests.Storage().Value() < 1<<30 {
		t.Errorf("the claim is %+v", claim.Spec)
	}
	used := slices.ContainsFunc(d.Template.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim.Name && !v.PersistentVolumeClaim.ReadOnly
	})
	if !used {
		t.Errorf("nobody mounts %s", claim.Name)
	}
	if d.Strategy.Type != appsv1.RecreateDeploymentStrategyType || d.Replicas == nil || *d.Replicas != 1 {
		t.Errorf("%v pods, by %s, want one that ends before the next begins", *d.Replicas, d.Strategy.Type)
	}
}

// private shows that the metrics have a port that no service leads to, and who may come to it.
func private(t *testing.T, all []metav1.Object) {
	t.Helper()
	service := one[*corev1.Service](t, all)
	if len(service.Spec.Ports) != 1 || service.Spec.Ports[0].TargetPort.StrVal != "http" {
		t.Errorf("the service leads to %v", service.Spec.Ports)
	}
	rules := one[*networkingv1.NetworkPolicy](t, all)
	if rules == nil {
		return
	}
	for _, rule := range rules.Spec.Ingress {
		for _, port := range rule.Ports {
			if port.Port.StrVal == "metrics" && len(rule.From) == 0 {
				t.Error("anybody may read the metrics")
			}
		}
	}
}

func TestNotesSpeakOfThisInstallation(t *testing.T) {
	files, err := render(sets(t)["keycloak"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"https://mcp.example.com/mcp", "deployment/tools-fastmcp-auth", "settings.trusted_proxies is not set", "The chart made no ingress"} {
		if !strings.Contains(files["fastmcp-auth/templates/NOTES.txt"], want) {
			t.Errorf("the notes do not say %q:\n%s", want, files["fastmcp-auth/templates/NOTES.txt"])
		}
	}
}

package lint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// container lays the files that the pod mounts below a folder and returns how to start the program with them: its
// arguments and its environment, with that folder before each path.
func container(t *testing.T, all []metav1.Object) (args, env []string) {
	t.Helper()
	dir := t.TempDir()
	spec := &one[*appsv1.Deployment](t, all).Spec.Template.Spec
	c := &spec.Containers[0]
	var at []string
	for _, m := range c.VolumeMounts {
		at = append(at, m.MountPath, filepath.Join(dir, m.MountPath))
		if err := os.MkdirAll(filepath.Join(dir, m.MountPath), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, v := range spec.Volumes {
			if v.Name == m.Name {
				fill(t, filepath.Join(dir, m.MountPath), v, all)
			}
		}
	}
	moved := strings.NewReplacer(at...)
	for _, a := range c.Args {
		args = append(args, moved.Replace(a))
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			e.Value = "redis://127.0.0.1:6379" // the only one that a Secret gives so
		}
		env = append(env, e.Name+"="+moved.Replace(e.Value))
	}
	return args, env
}

// fill writes what a volume holds: the ConfigMaps that are rendered, and something in place of what is not.
func fill(t *testing.T, dir string, v corev1.Volume, all []metav1.Object) {
	t.Helper()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v.ConfigMap != nil {
		found := false
		for _, o := range all {
			if m, ok := o.(*corev1.ConfigMap); ok && m.Name == v.ConfigMap.Name {
				found = true
				for name, text := range m.Data {
					write(name, text)
				}
			}
		}
		if !found {
			write("policy.yaml", "rules: []\n")
		}
	}
	if v.Projected == nil {
		return
	}
	for _, source := range v.Projected.Sources {
		for _, item := range source.Secret.Items {
			switch item.Path {
			case "tls.crt":
				cert, key := pair(t)
				write("tls.crt", cert)
				write("tls.key", key)
			case "tls.key":
			default:
				write(item.Path, strings.Repeat("0123456789abcdef", 4))
			}
		}
	}
}

// command is the program in a folder without settings of its own, with this environment and no other of its own.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	return cmd
}

// TestProgramTakesTheRenderedSettings shows each setting that the chart writes with its value, as the program reads it.
func TestProgramTakesTheRenderedSettings(t *testing.T) {
	wanted := map[string]map[string]string{
		"keycloak": {"addr": ":8000", "public_url": "https://mcp.example.com", "provider.kind": "keycloak", "audit.stdout": "true"},
		"everything": {"limits.caller_rate": "1000000", "limits.calls": "1000000", "admin.addr": ":9464", "admin.expose": "true",
			"audit.syslog": "tls://logs.example.com:6514", "trusted_proxies": "10.0.0.0/8"},
		"little": {"admin.addr": "", "audit.stdout": "false", "log.level": "debug", "store.kind": "memory"},
		"sqlite": {"store.kind": "sqlite", "console.client_id": "mcp-console"},
		"redis":  {"store.kind": "redis"},
	}
	for name, values := range sets(t) {
		t.Run(name, func(t *testing.T) {
			args, env := container(t, manifests(t, values))
			cmd := command(t, env, append([]string{"config", "--json"}, args[1:]...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			var rows []struct{ Key, Value, Origin string }
			if err := json.Unmarshal(out, &rows); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, r := range rows {
				got[r.Key] = r.Value
			}
			for key, want := range wanted[name] {
				if got[key] != want {
					t.Errorf("%s is %q, want %q", key, got[key], want)
				}
			}
		})
	}
}

// TestProgramServesAndAnswersTheProbes starts what the pod starts and asks as the kubelet asks.
func TestProgramServesAndAnswersTheProbes(t *testing.T) {
	for _, name := range []string{"keycloak", "little", "sqlite"} {
		t.Run(name, func(t *testing.T) {
			all := manifests(t, sets(t)[name])
			args, env := container(t, all)
			for i, e := range env {
				if strings.HasPrefix(e, "FASTMCP_AUTH_ADMIN_ADDR=") {
					env[i] = "FASTMCP_AUTH_ADMIN_ADDR=:0"
				}
			}
			cmd := command(t, env, append(args, "--addr", ":0")...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cmd.Process.Kill(); cmd.Wait() }()
			line, err := bufio.NewReader(out).ReadBytes('\n')
			if err != nil {
				cmd.Wait()
				t.Fatalf("no ready line: %v\n%s", err, stderr.String())
			}
			var ready struct{ Addr string }
			if err := json.Unmarshal(line, &ready); err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(ready.Addr)
			if err != nil {
				t.Fatal(err)
			}
			c := one[*appsv1.Deployment](t, all).Spec.Template.Spec.Containers[0]
			host := strings.ReplaceAll(c.LivenessProbe.HTTPGet.HTTPHeaders[0].Value, fmt.Sprint(c.Ports[0].ContainerPort), port)
			if got := status(t, port, c.LivenessProbe.HTTPGet.Path, host); got != http.StatusOK {
				t.Errorf("the liveness probe hears %d", got)
			}
			// The provider of the values does not exist, so the pod is not ready, and says so.
			if got := status(t, port, c.ReadinessProbe.HTTPGet.Path, host); got != http.StatusServiceUnavailable {
				t.Errorf("the readiness probe hears %d", got)
			}
			// Without the header of the probe it would be refused: a pod's address is no name of the server.
			if got := status(t, port, c.LivenessProbe.HTTPGet.Path, "10.1.2.3:"+port); got != http.StatusForbidden {
				t.Errorf("a probe without a name hears %d", got)
			}
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, stderr.String())
			}
		})
	}
}

func status(t *testing.T, port, path, host string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

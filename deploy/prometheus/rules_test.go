// Package prometheus holds the alert rules and the dashboard against the metrics that the program has, the rules against
// Prometheus itself, and each alert against its section for operators.
package prometheus

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

const (
	dashboard = "../grafana/dashboard.json"
	runbook   = "../../docs/operate/alerts.md"
	published = "https://github.com/fastmcp-auth/fastmcp-auth/blob/main/docs/operate/alerts.md#"
)

// rule is one alert.
type rule struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(read(t, "alerts.yml"), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no rules")
	}
	return all
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// promtool runs Prometheus's own tool, or says that it is left out.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("promtool is missing: install Prometheus to run this")
	}
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPrometheusReadsTheRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")
}

// TestAlertsFireWhenTheyShould runs alerts_test.yml, which has every alert once among bad numbers and never among good.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "test", "rules", "alerts_test.yml")
	var file struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Exp  []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(read(t, "alerts_test.yml"), &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			if len(a.Exp) > 0 {
				fires[a.Name] = true
			} else {
				silent[a.Name] = true
			}
		}
	}
	for _, r := range rules(t) {
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: shown to fire: %v, shown to be silent: %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

// TestEachAlertHasItsSection follows the link of each alert, and holds the sections against the alerts.
func TestEachAlertHasItsSection(t *testing.T) {
	sections := map[string]string{}
	for _, s := range strings.Split(string(read(t, runbook)), "\n## ")[1:] {
		name, body, _ := strings.Cut(s, "\n")
		sections[name] = body
	}
	for _, r := range rules(t) {
		if got, want := r.Annotations["runbook_url"], published+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s leads to %s, want %s", r.Alert, got, want)
		}
		if r.Annotations["summary"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the summary %q and the severity %q", r.Alert, r.Annotations["summary"], r.Labels["severity"])
		}
		body, there := sections[r.Alert]
		if !there {
			t.Errorf("%s has no section in %s", r.Alert, runbook)
		}
		for _, part := range []string{"**What it means.**", "**Where to look.**", "**What to do.**"} {
			if there && !strings.Contains(body, part) {
				t.Errorf("the section of %s does not say %s", r.Alert, part)
			}
		}
		delete(sections, r.Alert)
	}
	for name := range sections {
		t.Errorf("%s has a section and is no alert", name)
	}
}

// expressions are everything that is asked of Prometheus, by where it stands.
func expressions(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, r := range rules(t) {
		all["alert "+r.Alert] = append(all["alert "+r.Alert], r.Expr)
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			all["panel "+p.Title] = append(all["panel "+p.Title], target.Expr)
		}
	}
	return all
}

var (
	selector = regexp.MustCompile(`\b([a-z_]+[a-z0-9_]*)\{([^}]*)\}`)
	series   = regexp.MustCompile(`\b(?:fastmcp_auth|go|process)_[a-z0-9_]+\b`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
)

// TestEveryMetricThatIsAskedForExists holds names, labels and values of the rules and the dashboard against the table
// of metrics, and those of the Go runtime and the process against what the program answers.
func TestEveryMetricThatIsAskedForExists(t *testing.T) {
	known := map[string]telemetry.Metric{}
	for _, m := range telemetry.Catalogue() {
		known[m.Name] = m
		if m.Kind == "histogram" {
			m.Labels = append(slices.Clone(m.Labels), telemetry.Label{Name: "le"})
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				known[m.Name+suffix] = m
			}
		}
	}
	answered := exposition(t)
	used := map[string]bool{}
	for where, exprs := range expressions(t) {
		for _, expr := range exprs {
			labels := map[string]string{"job": "", "instance": ""}
			for _, name := range series.FindAllString(expr, -1) {
				m, ours := known[name]
				if !ours && !strings.Contains(answered, "\n"+name+" ") && !strings.Contains(answered, "\n"+name+"{") {
					t.Errorf("%s asks for %s, which there is not", where, name)
				}
				used[m.Name] = true
				for _, l := range m.Labels {
					labels[l.Name] = l.Values
				}
			}
			for _, s := range selector.FindAllStringSubmatch(expr, -1) {
				for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
					holds(t, where, known[s[1]], m[1], m[2])
				}
			}
			for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
				for label := range strings.SplitSeq(g[1], ",") {
					if _, there := labels[strings.TrimSpace(label)]; !there {
						t.Errorf("%s groups by %s, which nothing in it has", where, label)
					}
				}
			}
		}
	}
	for _, m := range telemetry.Catalogue() {
		if !used[m.Name] {
			t.Errorf("%s is on no panel and in no rule", m.Name)
		}
	}
}

// holds checks that m has label, and each of the values that are spelt out among those it can have.
func holds(t *testing.T, where string, m telemetry.Metric, label, values string) {
	t.Helper()
	if label == "job" || label == "instance" {
		return
	}
	i := slices.IndexFunc(m.Labels, func(l telemetry.Label) bool { return l.Name == label })
	if i < 0 {
		t.Errorf("%s: %s has no label %s", where, m.Name, label)
		return
	}
	for value := range strings.SplitSeq(values, "|") {
		if label == "status" || strings.ContainsAny(value, "$.") {
			continue
		}
		if !strings.Contains(m.Labels[i].Values, "`"+value+"`") {
			t.Errorf("%s: %s is never %q of %s", where, label, value, m.Name)
		}
	}
}

func exposition(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(telemetry.NewMetrics("test").Handler())
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// panel is what this test reads of a panel of Grafana.
type panel struct {
	ID          int
	Type, Title string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr, RefID string }
	Datasource  struct{ UID string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	var d struct {
		UID, Title string
		Panels     []panel
	}
	if err := json.Unmarshal(read(t, dashboard), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || len(d.Panels) == 0 {
		t.Fatal("the dashboard has no uid, no title or no panels")
	}
	return d.Panels
}

func TestPanelsStandBesideEachOther(t *testing.T) {
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range panels(t) {
		if ids[p.ID] {
			t.Errorf("%s has an id that another has", p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Description == "" || p.Datasource.UID != "${datasource}") {
			t.Errorf("%s asks for nothing, says not what it shows, or asks a source of its own", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s stands on %q or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestPanelsAskWhatPrometheusReads has Prometheus read the expressions of the panels, as rules.
func TestPanelsAskWhatPrometheusReads(t *testing.T) {
	type recording struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var all []recording
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", "x", "$instance", "y").Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s uses a variable that is not there: %s", p.Title, target.Expr)
			}
			name := strings.ToLower(regexp.MustCompile(`[^A-Za-z]+`).ReplaceAllString(p.Title+target.RefID, "_"))
			all = append(all, recording{"panel:" + name, expr})
		}
	}
	body, err := yaml.Marshal(map[string]any{"groups": []map[string]any{{"name": "panels", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/panels.yml"
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

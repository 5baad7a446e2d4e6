package telemetry

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/metrics.md anew")

const referencePage = "../../docs/reference/metrics.md"

// TestReferencePages holds the committed page to the catalogue. Run with -update to write it.
func TestReferencePages(t *testing.T) {
	page := reference()
	if *update {
		if err := os.WriteFile(referencePage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != page {
		t.Errorf("%s is not what the catalogue says; run go test ./internal/telemetry -run TestReferencePages -update", referencePage)
	}
}

// TestMetricsAreNamedAsPrometheusAsks keeps names, kinds and labels to the conventions that dashboards rely on.
func TestMetricsAreNamedAsPrometheusAsks(t *testing.T) {
	var seen []string
	for _, m := range Catalogue() {
		if !strings.HasPrefix(m.Name, "fastmcp_auth_") || slices.Contains(seen, m.Name) {
			t.Errorf("%s has no prefix of ours, or comes twice", m.Name)
		}
		seen = append(seen, m.Name)
		if (m.Kind == "counter") != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s is a %s: counters, and nothing else, end in _total", m.Name, m.Kind)
		}
		if !slices.Contains([]string{"counter", "gauge", "histogram"}, m.Kind) || !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: kind %q, help %q", m.Name, m.Kind, m.Help)
		}
	}
}

// reference writes the page.
func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, m := range Catalogue() {
		labels := []string{}
		for _, l := range m.Labels {
			labels = append(labels, fmt.Sprintf("`%s`: %s", l.Name, l.Values))
		}
		text := strings.Join(labels, "<br>")
		if text == "" {
			text = "none"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Kind, m.Help, text)
	}
	b.WriteString(referenceTail)
	return b.String()
}

const referenceHead = `# Metrics

` + "`serve`" + ` answers operators on an address of their own, once it is set:

` + "```yaml" + `
admin:
  addr: 127.0.0.1:9464
` + "```" + `

` + "`/metrics`" + ` there has what Prometheus reads. ` + "`/debug/pprof/`" + ` has the profiles of the Go runtime:
` + "`go tool pprof http://127.0.0.1:9464/debug/pprof/heap`" + `. Nobody signs in, so an address beyond this machine needs
` + "`admin.expose`" + `; profiles answer callers on this machine alone even then. Requests must name the address by an IP address, by
` + "`localhost`" + `, or by a name in ` + "`admin.allowed_hosts`" + `, and must not come from a web page. Without ` + "`admin.addr`" + ` nothing is counted.

This table is made from the catalogue in ` + "`internal/telemetry`" + `; tests hold it and the server's answer against each other.

| metric | kind | meaning | labels |
|---|---|---|---|
`

const referenceTail = `
Beside them stand the Go runtime's (` + "`go_…`" + `) and the process's (` + "`process_…`" + `), as the Prometheus client names them.

No label has a value that a stranger chose: names of tools that do not exist count as ` + "`(unknown)`" + `, paths that are not served as
` + "`other`" + `, and nobody's identity, address or token is in any of them.
`

package app

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
)

// numbers reads the metrics: the value of each series, by its name with its labels.
func (h *house) numbers(t *testing.T) map[string]float64 {
	t.Helper()
	a, err := do(must(http.NewRequest("GET", h.at.Admin+"/metrics", nil)))
	if err != nil || a.status != 200 {
		t.Fatalf("answered %+v, %v", a, err)
	}
	all := map[string]float64{}
	for line := range strings.Lines(a.body) {
		series, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.LastIndex(line, "} "); i > 0 {
			series, value, found = line[:i+1], strings.TrimSpace(line[i+2:]), true
		}
		n, err := strconv.ParseFloat(value, 64)
		if strings.HasPrefix(line, "#") || !found {
			continue
		}
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all[series] = n
	}
	return all
}

// policyFor writes a policy file.
func policyFor(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMetricsCountWhatHappens calls, is refused, and finds each in the numbers; and every metric of the catalogue.
func TestMetricsCountWhatHappens(t *testing.T) {
	record := filepath.Join(t.TempDir(), "audit.jsonl")
	rules := policyFor(t, "rules:\n  - {name: broad, tools: [\"*\"], scopes: [execute]}\n")
	shadow := policyFor(t, "rules:\n  - {name: numbers, tools: [random_number_tool], scopes: [execute]}\n")
	h := open(t, Options{Version: "1.2.3"}, "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0", "FASTMCP_AUTH_AUDIT_FILE_PATH="+record,
		"FASTMCP_AUTH_POLICY_FILE="+rules, "FASTMCP_AUTH_POLICY_SHADOW="+shadow)
	good := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	narrow := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	for range 3 {
		if a, err := h.reverse(good, "abc"); err != nil || a.status != 200 {
			t.Fatalf("answered %+v, %v", a, err)
		}
	}
	h.call(good, "tools/call", "reverse_tool", `"name":"reverse_tool","arguments":{"querry":"x"},`)
	h.call(good, "tools/call", "sesame", `"name":"sesame","arguments":{},`)
	h.reverse(narrow, "abc")
	h.reverse("", "abc")
	h.reverse("sesame", "abc")
	h.post(good, "{", nil)
	h.post(good, strings.Repeat("x", 2<<20), nil)
	h.get(t, "/sesame")
	h.get(t, "/healthz")
	for _, wrong := range []string{"rules: 1", "rules: 1", "rules: 2"} {
		os.WriteFile(rules, []byte(wrong), 0o600)
		h.ReloadPolicy(t.Context())
	}

	got := h.numbers(t)
	for series, want := range map[string]float64{
		`fastmcp_auth_http_requests_total{route="mcp",status="200"}`:                      4,
		`fastmcp_auth_http_requests_total{route="mcp",status="401"}`:                      2,
		`fastmcp_auth_http_requests_total{route="mcp",status="403"}`:                      1,
		`fastmcp_auth_http_requests_total{route="mcp",status="413"}`:                      1,
		`fastmcp_auth_http_requests_total{route="other",status="404"}`:                    1,
		`fastmcp_auth_http_requests_total{route="healthz",status="200"}`:                  1,
		`fastmcp_auth_rpc_errors_total{code="-32700"}`:                                    1,
		`fastmcp_auth_authentications_total{reason="ok"}`:                                 8,
		`fastmcp_auth_authentications_total{reason="missing"}`:                            1,
		`fastmcp_auth_authentications_total{reason="opaque"}`:                             1,
		`fastmcp_auth_authentications_total{reason="expired"}`:                            0,
		`fastmcp_auth_policy_decisions_total{decision="allow",tool="reverse_tool"}`:       4,
		`fastmcp_auth_policy_decisions_total{decision="needs_scope",tool="reverse_tool"}`: 1,
		`fastmcp_auth_policy_decisions_total{decision="deny",tool="(unknown)"}`:           1,
		`fastmcp_auth_policy_shadow_differences_total`:                                    5,
		`fastmcp_auth_calls_total{outcome="ok",tool="reverse_tool"}`:                      3,
		`fastmcp_auth_calls_total{outcome="bad_arguments",tool="reverse_tool"}`:           1,
		`fastmcp_auth_calls_total{outcome="ok",tool="random_number_tool"}`:                0,
		`fastmcp_auth_call_duration_seconds_count{tool="reverse_tool"}`:                   4,
		`fastmcp_auth_calls_running`:                                                      0,
		`fastmcp_auth_limits_hit_total{limit="body"}`:                                     1,
		`fastmcp_auth_token_cache_lookups_total{result="hit"}`:                            6,
		`fastmcp_auth_token_cache_entries`:                                                2,
		`fastmcp_auth_key_fetches_total{issuer="` + h.at.Issuer + `",result="failed"}`:    0,
		`fastmcp_auth_audit_events_total{result="failed",sink="file"}`:                    0,
		`fastmcp_auth_audit_sink_failing{sink="file"}`:                                    0,
		`fastmcp_auth_policy_reloads_total{policy="policy",result="refused"}`:             3,
		`fastmcp_auth_policy_refused{policy="policy"}`:                                    1,
		`fastmcp_auth_policy_refused{policy="shadow"}`:                                    0,
		`fastmcp_auth_build_info{go_version="` + runtime.Version() + `",version="1.2.3"}`: 1,
	} {
		if value, there := got[series]; !there || value != want {
			t.Errorf("%s is %v (there: %v), want %v", series, value, there, want)
		}
	}
	for _, series := range []string{`fastmcp_auth_keys{issuer="` + h.at.Issuer + `"}`, `fastmcp_auth_key_fetches_total{issuer="` + h.at.Issuer + `",result="ok"}`,
		`fastmcp_auth_audit_events_total{result="written",sink="file"}`, "go_goroutines", "process_resident_memory_bytes"} {
		if got[series] < 1 {
			t.Errorf("%s is %v", series, got[series])
		}
	}
	for _, m := range telemetry.Catalogue() {
		if !hasMetric(got, m) {
			t.Errorf("the catalogue has %s with the labels %v, and nothing answers with it", m.Name, m.Labels)
		}
	}
	for series := range got {
		if strings.Contains(series, "sesame") {
			t.Errorf("a stranger's text is in %s", series)
		}
		if strings.HasPrefix(series, "fastmcp_auth_") && !inCatalogue(series) {
			t.Errorf("%s is not in the catalogue", series)
		}
	}
}

func hasMetric(got map[string]float64, m telemetry.Metric) bool {
	name := m.Name
	if m.Kind == "histogram" {
		name += "_sum"
	}
	for series := range got {
		rest, found := strings.CutPrefix(series, name)
		if !found || rest != "" && rest[0] != '{' {
			continue
		}
		all := strings.Count(rest, `="`) == len(m.Labels)
		for _, l := range m.Labels {
			all = all && strings.Contains(rest, l.Name+`="`)
		}
		if all {
			return true
		}
	}
	return false
}

func inCatalogue(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	for _, m := range telemetry.Catalogue() {
		if name == m.Name || m.Kind == "histogram" && (name == m.Name+"_bucket" || name == m.Name+"_sum" || name == m.Name+"_count") {
			return true
		}
	}
	return false
}

// TestAttack48_TheAdminAddressAnswersNoReboundName asks by names and from pages that are none of the operator's.
func TestAttack48_TheAdminAddressAnswersNoReboundName(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0", "FASTMCP_AUTH_ADMIN_ALLOWED_HOSTS=metrics.internal")
	at := strings.TrimPrefix(h.at.Admin, "http://")
	_, port, _ := strings.Cut(at, ":")
	for _, row := range []struct {
		name, host string
		header     map[string]string
		status     int
	}{
		{"by its address", at, nil, 200},
		{"by the name of this machine for itself", "localhost:" + port, nil, 200},
		{"by the IPv6 address of this machine for itself", "[::1]:" + port, nil, 200},
		{"by a name that is allowed", "metrics.internal:9464", nil, 200},
		{"a name that was rebound", "evil.example:" + port, nil, 403},
		{"a name that only begins like an allowed one", "metrics.internal.evil.example", nil, 403},
		{"a name that begins like an address", "127.0.0.1.evil.example:" + port, nil, 403},
		{"another machine's address", "10.0.0.7:" + port, nil, 403},
		{"localhost of another port", "localhost:1", nil, 403},
		{"no name at all", "", nil, 403},
		{"a page of another site", at, map[string]string{"Origin": "https://evil.example"}, 403},
		{"a page of this machine", at, map[string]string{"Origin": "http://127.0.0.1:3000"}, 403},
		{"an image on a page of another site", at, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"a person who follows a link", at, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
	} {
		for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
			t.Run(row.name+" "+path, func(t *testing.T) {
				text := "GET " + path + " HTTP/1.1\r\nHost: " + row.host + "\r\nConnection: close\r\n"
				for k, v := range row.header {
					text += k + ": " + v + "\r\n"
				}
				if got := status(t, at, text+"\r\n"); got != row.status {
					t.Errorf("answered %d, want %d", got, row.status)
				}
			})
		}
	}
}

// TestTheAdminAddressIsApart shows that nothing of it stands where clients are answered, and nothing of theirs there.
func TestTheAdminAddressIsApart(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0")
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/pprof/profile?seconds=1", "/debug/vars"} {
		if a := h.get(t, path); a.status != 404 {
			t.Errorf("%s of the main address is answered with %d", path, a.status)
		}
	}
	for path, want := range map[string]int{"/": 200, "/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/goroutine?debug=1": 200,
		mcpPath: 404, "/healthz": 404, "/.well-known/oauth-protected-resource/mcp": 404} {
		a, err := do(must(http.NewRequest("GET", h.at.Admin+path, nil)))
		if err != nil || a.status != want {
			t.Errorf("%s of the admin address: %+v, %v, want status %d", path, a, err, want)
		}
	}
	if front := h.get(t, "/"); strings.Contains(front.body, "admin") || strings.Contains(front.body, h.at.Admin) {
		t.Errorf("strangers are told where operators are answered: %s", front.body)
	}
	silent := open(t, Options{})
	if silent.at.Admin != "" || silent.metrics != nil {
		t.Error("operators are answered where no address was set")
	}
}

// TestProfilesStayOnTheMachine asks from elsewhere, where the address is exposed.
func TestProfilesStayOnTheMachine(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_ADMIN_ADDR=0.0.0.0:0", "FASTMCP_AUTH_ADMIN_EXPOSE=true")
	for peer, want := range map[string]int{"127.0.0.1:5": 200, "[::1]:5": 200, "10.0.0.9:5": 403, "": 403} {
		r := must(http.NewRequest("GET", "http://10.0.0.7:9464/debug/pprof/cmdline", nil))
		r.RemoteAddr = peer
		w := &bare{header: http.Header{}}
		h.admin.http.Handler.ServeHTTP(w, r)
		if w.status != want {
			t.Errorf("a profile for %q is answered with %d, want %d", peer, w.status, want)
		}
		r = must(http.NewRequest("GET", "http://10.0.0.7:9464/metrics", nil))
		r.RemoteAddr = peer
		w = &bare{header: http.Header{}}
		if h.admin.http.Handler.ServeHTTP(w, r); w.status != 200 {
			t.Errorf("metrics for %q are answered with %d", peer, w.status)
		}
	}
}

// bare is an answer of which only the status matters.
type bare struct {
	header http.Header
	status int
}

func (b *bare) Header() http.Header { return b.header }
func (b *bare) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}
func (b *bare) Write(p []byte) (int, error) { b.WriteHeader(200); return len(p), nil }

// TestAnAdminAddressThatIsTakenIsRefused leaves nothing open.
func TestAnAdminAddressThatIsTakenIsRefused(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0")
	s, err := config.Load(config.Source{Command: config.Serve, Dir: t.TempDir(),
		Environ: []string{"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_ADMIN_ADDR=" + strings.TrimPrefix(h.at.Admin, "http://")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), s, Options{}); err == nil || !strings.Contains(err.Error(), "admin.addr") {
		t.Errorf("got %v", err)
	}
}

// TestAuditFailuresAreCountedWhereTheDoorStaysOpen: with on_failure open nobody else hears of them.
func TestAuditFailuresAreCountedWhereTheDoorStaysOpen(t *testing.T) {
	broken := &brokenWriter{}
	h := open(t, Options{Stdout: broken}, "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0", "FASTMCP_AUTH_AUDIT_STDOUT=true", "FASTMCP_AUTH_AUDIT_ON_FAILURE=open")
	good := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	if a, err := h.reverse(good, "abc"); err != nil || a.status != 200 {
		t.Fatalf("answered %+v, %v", a, err)
	}
	got := h.numbers(t)
	if got[`fastmcp_auth_audit_events_total{result="failed",sink="stdout"}`] != 2 || got[`fastmcp_auth_audit_sink_failing{sink="stdout"}`] != 1 ||
		got[`fastmcp_auth_calls_total{outcome="ok",tool="reverse_tool"}`] != 1 {
		t.Errorf("counted %v", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

// status sends a request as it stands and returns the status of the answer.
func status(t *testing.T, at, text string) int {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

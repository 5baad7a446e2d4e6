// Package rest_test lets what other people made read, judge and call the REST API by its OpenAPI document alone: a linter,
// a client generator with a compiler, and a fuzzer.
//
// The switch is FASTMCP_AUTH_INTEGRATION=1; npm and pip bring them when they are missing, as package-lock.json and
// requirements.txt name them.
package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/interop/program"

	// What the program is made of, so that a change of it makes go test forget what it knows of these tests.
	_ "github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

const patience = 5 * time.Minute

// leaveOut skips on a person's machine. Where CI=true nothing is left out.
func leaveOut(t *testing.T, remedy string) {
	t.Helper()
	message := "left out: the linter, the generated client and the fuzzer of the REST API; " + remedy
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// run runs a program in this folder and returns all it says.
func run(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	out, err := run(t, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// fresh reports whether stamp was made after source.
func fresh(source, stamp string) bool {
	a, err := os.Stat(source)
	b, stampErr := os.Stat(stamp)
	return err == nil && stampErr == nil && !b.ModTime().Before(a.ModTime())
}

// packages brings what npm has.
func packages(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		leaveOut(t, "install Node.js with npm to run it")
	}
	if !fresh("package-lock.json", filepath.Join("node_modules", ".package-lock.json")) {
		must(t, nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	}
}

// fuzzer brings what pip has, and returns the program.
func fuzzer(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		leaveOut(t, "install Python 3.11 or newer to run it")
	}
	path := filepath.Join(".venv", "bin", "schemathesis")
	stamp := filepath.Join(".venv", "installed")
	if !fresh("requirements.txt", stamp) {
		must(t, nil, python, "-m", "venv", "--clear", ".venv")
		must(t, nil, filepath.Join(".venv", "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", "requirements.txt")
		if err := os.WriteFile(stamp, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// server is the real program, with its development provider.
type server struct {
	base, token string
	document    string // the OpenAPI document, in a file
}

func serve(t *testing.T) *server {
	t.Helper()
	if os.Getenv("FASTMCP_AUTH_INTEGRATION") != "1" {
		leaveOut(t, "set FASTMCP_AUTH_INTEGRATION=1 to run it, as make test does")
	}
	dir := t.TempDir()
	p := program.Serve(t, program.Build(t, dir), dir, "FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_REVERSE_DURATION=0s",
		"FASTMCP_AUTH_LIMITS_CALLER_RATE=0", "FASTMCP_AUTH_LIMITS_ADDRESS_RATE=0", "FASTMCP_AUTH_LOG_LEVEL=error")
	t.Cleanup(func() {
		if strings.Contains(p.Said(), "ERROR") {
			t.Errorf("serve says\n%s", p.Said())
		}
	})
	s := &server{base: p.Ready.Base(), document: filepath.Join(dir, "openapi.json")}
	s.token = token(t, p.Ready.Issuer, p.Ready.MCP)
	if err := os.WriteFile(s.document, get(t, s.base+"/api/openapi.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, from string) []byte {
	t.Helper()
	resp, err := http.Get(from)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", from, resp.StatusCode, err)
	}
	return body
}

// token is one of a program that may call every tool.
func token(t *testing.T, issuer, resource string) string {
	t.Helper()
	var metadata struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.Unmarshal(get(t, issuer+"/.well-known/openid-configuration"), &metadata); err != nil {
		t.Fatal(err)
	}
	resp, err := http.PostForm(metadata.TokenEndpoint, url.Values{"grant_type": {"client_credentials"}, "client_id": {devidp.ClientService},
		"client_secret": {devidp.ServiceSecret}, "resource": {resource}, "scope": {"execute"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("no token: %d, %v", resp.StatusCode, err)
	}
	return answer.AccessToken
}

func TestALinterFindsNothingInTheDocument(t *testing.T) {
	s := serve(t)
	packages(t)
	out := must(t, []string{"REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true"}, filepath.Join("node_modules", ".bin", "redocly"), "lint", "--format=json", s.document)
	var found struct {
		Totals *struct{ Errors, Warnings int }
	}
	if i := strings.Index(out, "{"); i < 0 || json.NewDecoder(strings.NewReader(out[i:])).Decode(&found) != nil || found.Totals == nil ||
		found.Totals.Errors+found.Totals.Warnings != 0 {
		t.Errorf("the linter says\n%s", out)
	}
}

// TestAGeneratedClientCallsTools makes types of the document, compiles a client strictly against them, and lets it call.
func TestAGeneratedClientCallsTools(t *testing.T) {
	s := serve(t)
	packages(t)
	bin := func(name string) string { return filepath.Join("node_modules", ".bin", name) }
	must(t, nil, bin("openapi-typescript"), s.document, "--output", "api.d.ts")
	must(t, nil, bin("tsc"), "--project", "tsconfig.json")
	out := must(t, []string{"API_URL=" + s.base, "API_TOKEN=" + s.token}, "node", filepath.Join("out", "call.js"))
	var did struct {
		Text, State, Code, Field string
		Names                    []string
	}
	if err := json.Unmarshal([]byte(out), &did); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if did.Text != "cba" || did.State != "completed" || did.Code != "invalid_arguments" || did.Field != "query" || len(did.Names) != 4 {
		t.Errorf("it did %+v", did)
	}
}

// TestAFuzzerFindsNoFaultAndNothingUndocumented sends what the document allows, and what it does not. That a tool may
// refuse arguments which fit its schema, such as a time zone that does not exist, is no fault. One worker: the library
// that makes the cases reads Python's table of modules while another thread may be changing it.
func TestAFuzzerFindsNoFaultAndNothingUndocumented(t *testing.T) {
	s := serve(t)
	schemathesis := fuzzer(t)
	report := filepath.Join(t.TempDir(), "report.xml")
	out, err := run(t, nil, schemathesis, "run", s.document, "--url", s.base, "--header", "Authorization: Bearer "+s.token,
		"--exclude-checks", "positive_data_acceptance", "--max-examples", "25", "--seed", "1", "--workers", "1", "--request-timeout", "20",
		"--no-color", "--report", "junit", "--report-junit-path", report)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "Tested: ") || strings.Contains(out, "Tested: 0") {
		t.Errorf("nothing was tested:\n%s", out)
	}
}

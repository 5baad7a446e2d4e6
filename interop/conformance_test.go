package interop_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver" // for the test cache, as internal/cli
)

// revisions are the requirement sets of the official conformance suite: how many scenarios each has, and which others
// the suite runs along without asking for them. Those of extensions that are not offered here are not judged.
var revisions = []struct {
	revision string
	required int
	besides  []string
}{
	{"2026-07-28", 37, []string{"http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"}},
	{"2025-11-25", 30, []string{"server-sse-polling", "server-session-lifecycle", "json-schema-2020-12"}},
}

// check is one thing a scenario of the suite looked at.
type check struct {
	ID           string          `json:"id"`
	Status       string          `json:"status"`
	Description  string          `json:"description"`
	ErrorMessage string          `json:"errorMessage"`
	Details      json.RawMessage `json:"details"`
}

func TestServerConforms(t *testing.T) {
	mcp := serveFixtures(t)
	for _, row := range revisions {
		t.Run(row.revision, func(t *testing.T) {
			required := requirements(t, row.revision)
			if len(required) != row.required {
				t.Fatalf("the suite requires %d scenarios, want %d: %v", len(required), row.required, required)
			}
			results := t.TempDir()
			o := suite(t, "server", "--url", mcp, "--requirements", row.revision, "--output-dir", results)
			if o.code != 0 {
				t.Errorf("the suite ended with %d\n%s", o.code, o.stderr)
			}
			ran := checks(t, results)
			for _, scenario := range append(required, row.besides...) {
				t.Run(scenario, func(t *testing.T) { clean(t, ran[scenario]) })
			}
			for scenario := range ran {
				if !slices.Contains(required, scenario) && !slices.Contains(row.besides, scenario) && !strings.HasPrefix(scenario, "tasks-") {
					t.Errorf("the suite ran %s, and nobody looked at what came of it", scenario)
				}
			}
		})
	}
}

// The suite is content with a server that never lets go of a client. This one does, and takes it up again.
func TestServerTakesUpABrokenStream(t *testing.T) {
	mcp := serveFixtures(t)
	results := t.TempDir()
	suite(t, "server", "--url", mcp, "--scenario", "server-sse-polling", "--spec-version", "2025-11-25", "--output-dir", results)
	for _, id := range []string{"server-sse-priming-event", "server-sse-retry-field", "server-sse-disconnect-resume"} {
		i := slices.IndexFunc(checks(t, results)["server-sse-polling"], func(c check) bool { return c.ID == id && c.Status == "SUCCESS" })
		if i < 0 {
			t.Errorf("there is no success of %s", id)
		}
	}
}

// The suite must find fault with a server that has one, or its praise means nothing.
func TestSuiteFindsFaults(t *testing.T) {
	mcp := serveFixtures(t)
	results := t.TempDir()
	elsewhere := strings.TrimSuffix(mcp, "/mcp") + "/elsewhere"
	suite(t, "server", "--url", elsewhere, "--scenario", "tools-list", "--spec-version", "2026-07-28", "--output-dir", results)
	if !slices.ContainsFunc(checks(t, results)["tools-list"], func(c check) bool { return c.Status == "FAILURE" }) {
		t.Error("the suite finds tools where there is no server")
	}
}

// clean holds a scenario to at least one success and to nothing worse. It shows what is worse.
func clean(t *testing.T, found []check) {
	t.Helper()
	succeeded := false
	for _, c := range found {
		switch c.Status {
		case "SUCCESS":
			succeeded = true
		case "INFO":
		default:
			t.Errorf("%s %s: %s\n%s\n%s", c.Status, c.ID, c.Description, c.ErrorMessage, c.Details)
		}
	}
	if !succeeded {
		t.Errorf("nothing succeeded among %d checks", len(found))
	}
}

// suite runs the conformance suite to its end.
func suite(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	path := filepath.Join("node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	cmd := exec.CommandContext(ctx, nodePath, append([]string{path}, args...)...)
	cmd.Env = environment(t)
	return run(t, ctx, cmd)
}

// requirements are the server scenarios that the suite requires for a revision.
func requirements(t *testing.T, revision string) []string {
	t.Helper()
	listed := suite(t, "list", "--server", "--requirements", revision)
	_, rest, found := strings.Cut(listed.stdout, "Server scenarios")
	if !found || listed.code != 0 {
		t.Fatalf("the suite lists nothing: %s%s", listed.stdout, listed.stderr)
	}
	rest, _, _ = strings.Cut(rest, "Client scenarios")
	var names []string
	for _, line := range regexp.MustCompile(`(?m)^\s+- (\S+)`).FindAllStringSubmatch(rest, -1) {
		names = append(names, line[1])
	}
	return names
}

// when is what the suite puts after the name of a scenario that it ran.
var when = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[\d-]+Z$`)

// checks reads what the suite left in a folder, by scenario.
func checks(t *testing.T, results string) map[string][]check {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(results, "*", "checks.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the suite left no results: %v", err)
	}
	found := map[string][]check{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scenario := when.ReplaceAllString(strings.TrimPrefix(filepath.Base(filepath.Dir(file)), "server-"), "")
		var of []check
		if err := json.Unmarshal(text, &of); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[scenario] = append(found[scenario], of...)
	}
	return found
}

// serveFixtures starts the program that the suite runs against, and says where it is. It must end well, with the test.
func serveFixtures(t *testing.T) string {
	t.Helper()
	party(t)
	sources, err := filepath.Glob(filepath.Join("..", "conformance", "server", "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("there is no program for the suite: %v", err)
	}
	for _, source := range sources {
		if _, err := os.ReadFile(source); err != nil { // so that go test notices when it changes
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", path, "../conformance/server").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(path, "--addr", "127.0.0.1:0")
	cmd.Env = environment(t)
	var log syncBuffer
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { (&server{}).stop(t, cmd, &log) })
	overdue := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	var ready struct{ MCP string }
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil {
		t.Fatalf("the ready line: %v\n%s", err, &log)
	}
	go io.Copy(io.Discard, stdout)
	return ready.MCP
}

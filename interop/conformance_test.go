package interop_test

import (
	"encoding/json"
	"io"
	"os/exec"
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

func TestServerConforms(t *testing.T) {
	mcp := serveFixtures(t)
	for _, row := range revisions {
		t.Run(row.revision, func(t *testing.T) {
			required := requirements(t, "server", row.revision)
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

// serveFixtures starts the program that the suite runs against, and says where it is. It must end well, with the test.
func serveFixtures(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(fixture(t, "server"), "--addr", "127.0.0.1:0")
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

package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "github.com/fastmcp-auth/fastmcp-auth/client/signin" // for the test cache, as internal/cli
)

// clientRevisions are the requirement sets of the official conformance suite for clients.
var clientRevisions = []struct {
	revision string
	required int
}{
	{"2026-07-28", 32},
	{"2025-11-25", 18},
}

// clientBesides are the scenarios that the suite runs along without asking for them. They are asked of ours.
var clientBesides = []string{
	"auth/client-credentials-jwt", "auth/client-credentials-basic", "auth/enterprise-managed-authorization",
	"auth/dpop", "auth/dpop-nonce", "auth/wif-jwt-bearer", "json-schema-2020-12-preservation",
}

// The suite tells how an old server is met in scenarios that no requirement set holds.
var clientBackwards = []string{"auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback"}

func TestClientConforms(t *testing.T) {
	command := conformanceClient(t)
	for _, row := range clientRevisions {
		t.Run(row.revision, func(t *testing.T) {
			t.Parallel()
			required := clientRequirements(t, row.revision)
			if len(required) != row.required {
				t.Fatalf("the suite requires %d scenarios, want %d: %v", len(required), row.required, required)
			}
			results := t.TempDir()
			o := suite(t, "client", "--command", command, "--requirements", row.revision, "--output-dir", results)
			if o.code != 0 {
				t.Errorf("the suite ended with %d\n%s", o.code, o.stderr)
			}
			ran := clientChecks(t, results)
			wanted := append(required, clientBesides...)
			for _, scenario := range wanted {
				t.Run(scenario, func(t *testing.T) { clean(t, exercised(ran[scenario])) })
			}
			for scenario := range ran {
				if !slices.Contains(wanted, scenario) {
					t.Errorf("the suite ran %s, and nobody looked at what came of it", scenario)
				}
			}
		})
	}
	for _, scenario := range clientBackwards {
		t.Run("2025-03-26/"+scenario, func(t *testing.T) {
			t.Parallel()
			results := t.TempDir()
			o := suite(t, "client", "--command", command, "--scenario", scenario, "--spec-version", "2025-03-26", "--output-dir", results)
			if o.code != 0 {
				t.Errorf("the suite ended with %d\n%s", o.code, o.stderr)
			}
			clean(t, clientChecks(t, results)[scenario])
		})
	}
}

// The suite lets a client pass that does nothing, in some scenarios. Here it must not.
func TestAnIdleClientConformsNowhere(t *testing.T) {
	conformanceClient(t)
	for _, row := range clientRevisions {
		t.Run(row.revision, func(t *testing.T) {
			t.Parallel()
			results := t.TempDir()
			suite(t, "client", "--command", "true", "--requirements", row.revision, "--output-dir", results)
			for scenario, found := range clientChecks(t, results) {
				done := slices.ContainsFunc(found, func(c check) bool { return c.Status == "SUCCESS" })
				bad := slices.ContainsFunc(found, func(c check) bool { return c.Status == "FAILURE" || c.Status == "WARNING" })
				if done && !bad {
					t.Errorf("%s is content with a client that does nothing", scenario)
				}
			}
		})
	}
}

// exercised leaves out the two checks of the modern header scenario that are about requests of the older era: a client of
// the newer one does not send them, and the suite says so by skipping them.
func exercised(found []check) []check {
	return slices.DeleteFunc(slices.Clone(found), func(c check) bool {
		return c.Status == "SKIPPED" && c.ID == "sep-2243-client-includes-standard-headers" && strings.Contains(c.Description, "initialize")
	})
}

// clientRequirements are the client scenarios that the suite requires for a revision.
func clientRequirements(t *testing.T, revision string) []string {
	t.Helper()
	listed := suite(t, "list", "--client", "--requirements", revision)
	_, rest, found := strings.Cut(listed.stdout, "Client scenarios")
	if !found || listed.code != 0 {
		t.Fatalf("the suite lists nothing: %s%s", listed.stdout, listed.stderr)
	}
	rest, _, _ = strings.Cut(rest, "never scored")
	var names []string
	for _, line := range regexp.MustCompile(`(?m)^\s+- (\S+)`).FindAllStringSubmatch(rest, -1) {
		names = append(names, line[1])
	}
	return names
}

// clientChecks reads what the suite left in a folder, by scenario, whose name may hold a slash.
func clientChecks(t *testing.T, results string) map[string][]check {
	t.Helper()
	found := map[string][]check{}
	for _, depth := range []string{"*", filepath.Join("*", "*")} {
		files, err := filepath.Glob(filepath.Join(results, depth, "checks.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(results, filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			var of []check
			if err := json.Unmarshal(text, &of); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			found[when.ReplaceAllString(filepath.ToSlash(name), "")] = of
		}
	}
	if len(found) == 0 {
		t.Fatal("the suite left no results")
	}
	return found
}

// conformanceClient builds the program that the suite drives.
func conformanceClient(t *testing.T) string {
	t.Helper()
	party(t)
	sources, err := filepath.Glob(filepath.Join("..", "conformance", "client", "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("there is no program for the suite: %v", err)
	}
	for _, source := range sources {
		if _, err := os.ReadFile(source); err != nil { // so that go test notices when it changes
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "client")
	if out, err := exec.Command("go", "build", "-o", path, "../conformance/client").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

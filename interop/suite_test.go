package interop_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// check is one thing a scenario of the suite looked at.
type check struct {
	ID           string          `json:"id"`
	Status       string          `json:"status"`
	Description  string          `json:"description"`
	ErrorMessage string          `json:"errorMessage"`
	Details      json.RawMessage `json:"details"`
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

// requirements are the scenarios that the suite requires of a server, or of a client, for a revision.
func requirements(t *testing.T, side, revision string) []string {
	t.Helper()
	listed := suite(t, "list", "--"+side, "--requirements", revision)
	_, rest, found := strings.Cut(listed.stdout, strings.ToUpper(side[:1])+side[1:]+" scenarios")
	if !found || listed.code != 0 {
		t.Fatalf("the suite lists nothing: %s%s", listed.stdout, listed.stderr)
	}
	for _, next := range []string{"Client scenarios", "never scored"} { // both sides are listed, whichever was asked for
		rest, _, _ = strings.Cut(rest, next)
	}
	var names []string
	for _, line := range regexp.MustCompile(`(?m)^\s+- (\S+)`).FindAllStringSubmatch(rest, -1) {
		names = append(names, line[1])
	}
	return names
}

// when is what the suite puts after the name of a scenario that it ran.
var when = regexp.MustCompile(`-\d{4}-\d\d-\d\dT[\d-]+Z$`)

// checks reads what the suite left in a folder, by scenario. The name of a scenario may hold a slash.
func checks(t *testing.T, results string) map[string][]check {
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
			scenario := when.ReplaceAllString(strings.TrimPrefix(filepath.ToSlash(name), "server-"), "")
			found[scenario] = append(found[scenario], of...)
		}
	}
	if len(found) == 0 {
		t.Fatal("the suite left no results")
	}
	return found
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

// fixture builds the program of this side that the suite runs against.
func fixture(t *testing.T, side string) string {
	t.Helper()
	party(t)
	sources, err := filepath.Glob(filepath.Join("..", "conformance", side, "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("there is no program for the suite: %v", err)
	}
	for _, source := range sources {
		if _, err := os.ReadFile(source); err != nil { // so that go test notices when it changes
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), side)
	if out, err := exec.Command("go", "build", "-o", path, "../conformance/"+side).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

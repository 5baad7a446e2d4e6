package interop_test

import (
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
	command := fixture(t, "client")
	for _, row := range clientRevisions {
		t.Run(row.revision, func(t *testing.T) {
			t.Parallel()
			required := requirements(t, "client", row.revision)
			if len(required) != row.required {
				t.Fatalf("the suite requires %d scenarios, want %d: %v", len(required), row.required, required)
			}
			results := t.TempDir()
			o := suite(t, "client", "--command", command, "--requirements", row.revision, "--output-dir", results)
			if o.code != 0 {
				t.Errorf("the suite ended with %d\n%s", o.code, o.stderr)
			}
			ran := checks(t, results)
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
			clean(t, checks(t, results)[scenario])
		})
	}
}

// The suite lets a client pass that does nothing, in some scenarios. Here it must not.
func TestAnIdleClientConformsNowhere(t *testing.T) {
	party(t)
	for _, row := range clientRevisions {
		t.Run(row.revision, func(t *testing.T) {
			t.Parallel()
			results := t.TempDir()
			suite(t, "client", "--command", "true", "--requirements", row.revision, "--output-dir", results)
			for scenario, found := range checks(t, results) {
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

package interop_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// bridgeEnvironment lets "fastmcp-auth connect" sign in as the service that the development provider knows.
func bridgeEnvironment(t *testing.T, s *server) map[string]string {
	return map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "FASTMCP_AUTH_SERVER": s.MCP, "FASTMCP_AUTH_NO_INPUT": "true",
		"FASTMCP_AUTH_CLIENT_ID": "dev-service", "FASTMCP_AUTH_CLIENT_SECRET": "dev-service-secret",
		"FASTMCP_AUTH_CLIENT_ISSUER": s.Issuer,
	}
}

// TestTypeScriptClientConnects starts the bridge as its stdio server and reaches the protected one behind it: both lines
// of the client, in each version.
func TestTypeScriptClientConnects(t *testing.T) {
	s := serve(t, "--reverse-duration", "100ms")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, Command: []string{path, "connect"}, Env: bridgeEnvironment(t, s),
				Calls: []call{reverse("añb"), {"random_number_tool", map[string]any{"min": 7, "max": 7}}},
			}).end()
			unharmed(t, events)
			if tools := one(t, events, "tools").Tools; len(tools) != 4 {
				t.Errorf("the tools are %v", tools)
			}
			if got := one(t, events, "connected"); got.Server.Name != "fastmcp-auth" {
				t.Errorf("the server is %q", got.Server.Name)
			}
			results := only(events, "result")
			slices.SortFunc(results, func(a, b event) int { return a.Index - b.Index })
			if len(results) != 2 || results[0].Structured["reversed_query"] != "bña" || results[1].Structured["random_number"] != 7.0 {
				t.Errorf("the results are %+v", results)
			}
			if len(only(events, "progress")) == 0 {
				t.Error("no progress came through")
			}
		})
	}
}

// TestInspectorConnects starts the bridge from the Inspector's command line.
func TestInspectorConnects(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	launcher := filepath.Join("node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	for _, era := range []string{"legacy", "modern"} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			args := []string{launcher, "--cli", path, "connect", "--format", "json", "--protocol-era", era,
				"--method", "tools/call", "--tool-name", "reverse_tool", "--tool-arg", "query=Hello"}
			for name, value := range bridgeEnvironment(t, s) {
				args = append(args, "-e", name+"="+value)
			}
			cmd := exec.CommandContext(ctx, nodePath, args...)
			cmd.Env = environment(t, "MCP_INSPECTOR_SECRET_STORE=memory")
			if got := run(t, ctx, cmd).result(t, done).Result.StructuredContent["reversed_query"]; got != "olleH" {
				t.Errorf("reverse_tool answers %v", got)
			}
		})
	}
}

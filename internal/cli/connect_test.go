package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestConnect lets the official SDK's client start the program as its stdio server, in both eras.
func TestConnect(t *testing.T) {
	url := serveOpen(t)
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "connect", url)
			cmd.Args[0] = "fastmcp-auth" // TestMain goes by the name
			cmd.Env = ofHome(t.TempDir())
			cmd.Stderr = os.Stderr
			var progress []float64
			client := mcp.NewClient(&mcp.Implementation{Name: "stdio", Version: "1"}, &mcp.ClientOptions{
				ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
					progress = append(progress, r.Params.Progress)
				},
			})
			session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, &mcp.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			if got := session.InitializeResult(); got.ProtocolVersion != version || got.ServerInfo.Name != "fastmcp-auth" {
				t.Errorf("the server is %s and speaks %s", got.ServerInfo.Name, got.ProtocolVersion)
			}
			p := &mcp.CallToolParams{Name: "reverse_tool", Arguments: map[string]any{"query": "Hello"}}
			p.SetProgressToken("p")
			result, err := session.CallTool(t.Context(), p)
			if err != nil || result.StructuredContent.(map[string]any)["reversed_query"] != "olleH" {
				t.Errorf("reverse_tool: %+v, %v", result, err)
			}
			if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "time://current"}); err != nil {
				t.Error(err)
			}
			if err := session.Close(); err != nil { // the end of its input ends the program, with code 0
				t.Error(err)
			}
			if len(progress) == 0 {
				t.Error("no progress came through")
			}
		})
	}
}

// serveOpen runs a server that asks nobody to sign in.
func serveOpen(t *testing.T) string { return serving(t, "--no-auth", "--reverse-duration", "0s") }

// serving runs a server until the test ends, in a process of its own, and returns the URL of its MCP endpoint.
func serving(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"serve", "--addr", "127.0.0.1:0"}, flags...)...)
	cmd.Args[0] = "fastmcp-auth" // TestMain goes by the name
	cmd.Env = ofHome(t.TempDir())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve ends with %v", err)
		}
	})
	var ready struct {
		MCP string `json:"mcp"`
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatalf("the ready line: %v", err)
	}
	return ready.MCP
}

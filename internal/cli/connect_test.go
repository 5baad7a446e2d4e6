package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/cli"
)

// TestConnect lets the official SDK's client start the program as its stdio server, in both eras.
func TestConnect(t *testing.T) {
	url := serveOpen(t)
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "connect", url)
			cmd.Args[0] = "fastmcp-auth" // TestMain goes by the name
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
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

// serveOpen runs a server that asks nobody to sign in, until the test ends, and returns its URL.
func serveOpen(t *testing.T) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan int, 1)
	go func() {
		done <- cli.Main(ctx, []string{"serve", "--no-auth", "--addr", "127.0.0.1:0", "--reverse-duration", "0s"}, nil, readyLine(ready), os.Stderr)
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != 0 {
			t.Errorf("serve ends with %d", code)
		}
	})
	return <-ready
}

// readyLine takes the MCP address from the line that serve prints when it is ready.
type readyLine chan<- string

func (r readyLine) Write(p []byte) (int, error) {
	var line struct {
		MCP string `json:"mcp"`
	}
	if json.Unmarshal(p, &line) == nil && line.MCP != "" {
		r <- line.MCP
	}
	return len(p), nil
}

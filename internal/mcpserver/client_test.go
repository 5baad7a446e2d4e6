package mcpserver_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestTheOfficialClient lists, calls with progress, cancels and reads, in each version.
func TestTheOfficialClient(t *testing.T) {
	for _, era := range eras {
		t.Run("in "+era, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				heard := make(chan *mcp.ProgressNotificationParams, 100)
				session := f.connect(t, "ada", era, &mcp.ClientOptions{
					ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) { heard <- req.Params },
				})
				defer session.Close()
				if inSession := session.ID() != ""; inSession != (era < "2026-07-28") {
					t.Errorf("the session id is %q", session.ID())
				}
				listed, err := session.ListTools(t.Context(), nil)
				if err != nil || len(listed.Tools) != 6 || listed.Tools[0].Name != "convert_time" {
					t.Fatalf("listed %v, %v", listed, err)
				}
				begin := time.Now()
				params := &mcp.CallToolParams{Name: "reverse_tool", Arguments: map[string]any{"query": "añb🇩🇪"}}
				params.SetProgressToken("p1")
				result, err := session.CallTool(t.Context(), params)
				if err != nil {
					t.Fatal(err)
				}
				if got := result.StructuredContent.(map[string]any)["reversed_query"]; got != "🇩🇪bña" || time.Since(begin) != 5*time.Second {
					t.Errorf("got %q after %v", got, time.Since(begin))
				}
				for last := -1.0; last < 20; {
					p := <-heard
					if p.Progress <= last || p.Total != 20 || p.Message == "" || p.ProgressToken != "p1" {
						t.Fatalf("after %v came %+v", last, p)
					}
					last = p.Progress
				}
				if len(heard) != 0 {
					t.Errorf("after the end came %+v", <-heard)
				}

				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "wait"})
					ended <- err
				}()
				running := <-f.began
				cancel()
				if err := <-ended; err == nil {
					t.Error("a cancelled call was answered")
				}
				<-running.ended

				read, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "time://current"})
				if err != nil || !strings.Contains(read.Contents[0].Text, `"timezone":"UTC"`) {
					t.Errorf("read %v, %v", read, err)
				}
				resources, err := session.ListResources(t.Context(), nil)
				if err != nil || len(resources.Resources) != 2 {
					t.Errorf("listed %v, %v", resources, err)
				}
				for _, wrong := range []struct{ arguments, want string }{
					{`{"query":7}`, `the arguments of reverse_tool are not right: "query" must be a string, not a number`},
					{`{"qeury":"x"}`, `"qeury" is not an argument of this tool; did you mean "query"?`},
				} {
					result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "reverse_tool", Arguments: json.RawMessage(wrong.arguments)})
					if err != nil || !result.IsError || !strings.Contains(result.Content[0].(*mcp.TextContent).Text, wrong.want) || result.Meta["request_id"] == nil {
						t.Errorf("%s: %+v, %v", wrong.arguments, result, err)
					}
				}
				if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "revers_tool"}); err == nil || !strings.Contains(err.Error(), `unknown tool "revers_tool"; did you mean "reverse_tool"?`) {
					t.Errorf("an unknown tool: %v", err)
				}
				if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "panic"}); err == nil || !strings.Contains(err.Error(), "panic failed inside the server; the request id is ") || strings.Contains(err.Error(), "secret") {
					t.Errorf("a tool that panics: %v", err)
				}
			})
		})
	}
}

// TestClientsWithoutAnOpinion checks what a client of the SDK does by itself: it asks what is spoken, in the newest way.
func TestClientsWithoutAnOpinion(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		session := f.connect(t, "ada", "", nil)
		defer session.Close()
		if got := session.InitializeResult().ProtocolVersion; got != "2026-07-28" {
			t.Errorf("agreed on %s", got)
		}
	})
}

func TestRS20ListsFollowTheCaller(t *testing.T) {
	for _, era := range eras {
		t.Run("RS-20 nobody is shown what they are denied, in "+era, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				client := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil)
				session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: f.client}, &mcp.ClientSessionOptions{ProtocolVersion: era})
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				tools, err := session.ListTools(t.Context(), nil)
				if err != nil || len(tools.Tools) != 0 {
					t.Errorf("shown %v, %v", tools, err)
				}
				resources, err := session.ListResources(t.Context(), nil)
				if err != nil || len(resources.Resources) != 0 {
					t.Errorf("shown %v, %v", resources, err)
				}
			})
		})
	}
}

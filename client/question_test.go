//lint:file-ignore SA1019 Servers in the field go on using sampling, roots and logging.

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/client"
)

// asking is a server whose tool asks for a name, or lets a language model say something, in the way of either era.
func asking(t *testing.T, version string) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "asking", Version: "1"}, nil)
	server.AddTool(&mcp.Tool{Name: "greet", InputSchema: json.RawMessage(`{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}`)},
		func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if given, ok := r.Params.InputResponses["name"].(*mcp.ElicitResult); ok {
				if given.Action != "accept" {
					return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: given.Action}}}, nil
				}
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hello, " + given.Content["name"].(string)}}}, nil
			}
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"name": &mcp.ElicitParams{
				Mode: "form", Message: "Who are you?",
				RequestedSchema: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`),
			}}}, nil
		})
	server.AddTool(&mcp.Tool{Name: "rhyme", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if given, ok := r.Params.InputResponses["line"]; ok {
				raw, err := json.Marshal(given)
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(raw)}}}, err
			}
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"line": &mcp.CreateMessageParams{
				MaxTokens: 10, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Rhyme on token."}}},
			}}}, nil
		})
	ts := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: version == "2026-07-28"}))
	t.Cleanup(ts.Close)
	return ts.URL
}

func TestAServerAsksInTheMiddleOfACall(t *testing.T) {
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			var asked []client.Question
			session, err := client.Connect(t.Context(), asking(t, version), client.Options{
				ProtocolVersion: version,
				Answer: func(_ context.Context, q client.Question) (any, error) {
					asked = append(asked, q)
					if q.Method == client.MethodSample {
						return map[string]any{"role": "assistant", "model": "person", "content": map[string]any{"type": "text", "text": "spoken"}}, nil
					}
					return map[string]any{"action": "accept", "content": map[string]any{"name": "Ada"}}, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			if got := session.Server().ProtocolVersion; got != version {
				t.Errorf("the session speaks %s", got)
			}
			result, err := session.Call(t.Context(), "greet", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := client.Text(result); got != "Hello, Ada" {
				t.Errorf("greet answers %q", got)
			}
			if result, err = session.Call(t.Context(), "rhyme", nil, nil); err != nil {
				t.Fatal(err)
			}
			if got := client.Text(result); !strings.Contains(got, "spoken") {
				t.Errorf("rhyme answers %q", got)
			}
			if len(asked) != 2 || asked[0].Method != client.MethodElicit || !strings.Contains(string(asked[0].Params), "Who are you?") ||
				!strings.Contains(string(asked[1].Params), "Rhyme on token.") {
				t.Errorf("asked %+v", asked)
			}
		})
	}
}

// TestNobodyAnswers refuses: in the newer era the call ends with the answerer's error.
func TestNobodyAnswers(t *testing.T) {
	nobody := errors.New("nobody is there")
	session, err := client.Connect(t.Context(), asking(t, "2026-07-28"), client.Options{
		Answer: func(context.Context, client.Question) (any, error) { return nil, nobody },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := session.Call(t.Context(), "greet", nil, nil); err == nil || !strings.Contains(err.Error(), nobody.Error()) {
		t.Errorf("got %v", err)
	}
}

func TestVerbatim(t *testing.T) {
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		for _, asJSON := range []bool{false, true} {
			name := version + " as events"
			if asJSON {
				name = version + " as JSON"
			}
			t.Run(name, func(t *testing.T) {
				server := mcp.NewServer(&mcp.Implementation{Name: "order", Version: "1"}, nil)
				server.AddTool(&mcp.Tool{Name: "keep", InputSchema: json.RawMessage(`{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number","maximum":1.50}}}`)},
					func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
						return &mcp.CallToolResult{StructuredContent: json.RawMessage(`{"z":12345678901234567890,"a":1.50}`)}, nil
					})
				ts := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{JSONResponse: asJSON, Stateless: version == "2026-07-28"}))
				defer ts.Close()
				session, err := client.Connect(t.Context(), ts.URL, client.Options{ProtocolVersion: version})
				if err != nil {
					t.Fatal(err)
				}
				defer session.Close()
				for want, ask := range map[string]func(context.Context) error{
					`"structuredContent":{"z":12345678901234567890,"a":1.50}`: func(ctx context.Context) error {
						_, err := session.Call(ctx, "keep", nil, nil)
						return err
					},
					`{"z":{"type":"string"},"a":{"type":"number","maximum":1.50}}`: func(ctx context.Context) error {
						_, err := session.Tools(ctx)
						return err
					},
				} {
					results, err := client.Verbatim(t.Context(), ask)
					if err != nil {
						t.Fatal(err)
					}
					if len(results) != 1 || !strings.Contains(string(results[0]), want) {
						t.Errorf("got %s, want %s in one result", results, want)
					}
				}
			})
		}
	}
}

// TestServerError has the server's own words, in both eras.
func TestServerError(t *testing.T) {
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		session, err := client.Connect(t.Context(), asking(t, version), client.Options{ProtocolVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		_, err = session.Call(t.Context(), "nothing", nil, nil)
		var said *client.ServerError
		if !errors.As(err, &said) {
			t.Fatalf("%s: got %v, want a ServerError", version, err)
		}
		if said.Code != -32602 || said.Doing != `call "nothing"` || !strings.Contains(said.Message, "nothing") {
			t.Errorf("%s: got %+v", version, said)
		}
	}
}

package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// withConnect adds the tool connect, which sends a person to a page, and says for whom it did when they come back.
func withConnect(b *toolbox.Options, _ *mcpserver.Options) {
	b.Conversations = append(b.Conversations, toolbox.Conversation{
		Definition: &mcp.Tool{Name: "connect", InputSchema: map[string]any{"type": "object"}},
		Call: func(ctx context.Context, _ json.RawMessage, _ func(done, total float64, message string), c *toolbox.Client) (*mcp.CallToolResult, error) {
			who := identity.FromContext(ctx).Subject
			if c.Answers["page"] == nil {
				return &mcp.CallToolResult{RequestState: "for " + who, InputRequests: mcp.InputRequestMap{
					"page": &mcp.ElicitParams{Mode: "url", Message: "Sign in there", URL: "https://third.example.com/start", ElicitationID: "e1"},
				}}, nil
			}
			return texts(fmt.Sprintf("connected %s, state %q", who, c.State)), nil
		},
	})
}

// claimsToBeBob is what a client says came of the page, with everything in it that could be taken for a caller.
const claimsToBeBob = `{"page":{"action":"accept","content":{"sub":"bob","user":"bob","email":"bob@example.com"},"_meta":{"sub":"bob"}}}`

// TestRS23WhoWasSentToAPageIsWhoCalls: who a page is for is said by the credentials of the request, whatever the client
// says of the person who came back from it, and nobody finishes what another began.
func TestRS23WhoWasSentToAPageIsWhoCalls(t *testing.T) {
	ready := strings.NewReplacer(`"io.modelcontextprotocol/clientCapabilities":{}`, `"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}`)
	begin := modern("tools/call", "connect", `"name":"connect"`)
	begin.body = ready.Replace(begin.body)
	state := regexp.MustCompile(`"requestState":"([^"]+)"`)
	answer := func(caller, state string) ask {
		a := modern("tools/call", "connect", `"name":"connect","requestState":"`+state+`","inputResponses":`+claimsToBeBob)
		a.body, a.caller = ready.Replace(a.body), caller
		return a
	}
	sent := func(t *testing.T, f *fixture) string {
		t.Helper()
		r := f.send(t, begin)
		found := state.FindStringSubmatch(r.body)
		if found == nil || !strings.Contains(r.body, "https://third.example.com/start") {
			t.Fatalf("nobody is sent to a page: %d %s", r.status, r.body)
		}
		return found[1]
	}
	t.Run("RS-23 the caller is the token's, not the one the client names", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			r := f.send(t, answer("ada", sent(t, f)))
			if r.status != http.StatusOK || !strings.Contains(r.body, `connected ada, state \"for ada\"`) {
				t.Errorf("answered %d %s", r.status, r.body)
			}
		}, withConnect)
	})
	t.Run("RS-23 another caller cannot finish it", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			r := f.send(t, answer("bob", sent(t, f)))
			r.refused(t, 400, -32602, "requestState")
			if strings.Contains(r.body, "connected") {
				t.Errorf("bob finished what ada began: %s", r.body)
			}
		}, withConnect)
	})
	t.Run("RS-23 in a session the caller is the token's too", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			session := f.connect(t, "ada", "2025-11-25", &mcp.ClientOptions{
				Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}},
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					if req.Params.URL != "https://third.example.com/start" {
						t.Errorf("sent to %q", req.Params.URL)
					}
					return &mcp.ElicitResult{Action: "accept", Meta: mcp.Meta{"sub": "bob"}}, nil
				},
			})
			defer session.Close()
			result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "connect"})
			if err != nil || !strings.Contains(result.Content[0].(*mcp.TextContent).Text, "connected ada") {
				t.Errorf("%+v, %v", result, err)
			}
		}, withConnect)
	})
	t.Run("RS-23 a client that cannot open pages is asked for none", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			f.send(t, modern("tools/call", "connect", `"name":"connect"`)).refused(t, 400, -32021, "")
		}, withConnect)
	})
}

package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// TestRS17EveryCallHasItsOwnCaller lets several callers call at once, in both eras and under the same JSON-RPC ids.
func TestRS17EveryCallHasItsOwnCaller(t *testing.T) {
	who := toolbox.Tool{
		Definition: &mcp.Tool{Name: "who", InputSchema: map[string]any{"type": "object"}},
		Call: func(ctx context.Context, _ json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			progress(1, 1, "")
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "it is " + identity.FromContext(ctx).Subject}}}, nil
		},
	}
	bubble(t, func(t *testing.T, f *fixture) {
		var wg sync.WaitGroup
		for _, caller := range []string{"ada", "bob"} {
			id := f.begin(t, caller)
			for i := range 20 {
				wg.Go(func() {
					asks := []ask{
						call("who", "{}", ""),
						call("who", "{}", "p"),
						{headers: within(id), body: fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"who"}}`, i)},
					}
					for _, a := range asks {
						a.caller = caller
						if r := f.send(t, a); r.status != http.StatusOK || !strings.Contains(r.body, "it is "+caller) {
							t.Errorf("%s: status %d, %s", caller, r.status, r.body)
						}
					}
				})
			}
		}
		wg.Wait()
	}, func(b *toolbox.Options, _ *mcpserver.Options) { b.Tools = append(b.Tools, who) })
}

// TestAClientThatLeavesWhileItsSessionBegins leaves nothing behind: the bubble would notice.
func TestAClientThatLeavesWhileItsSessionBegins(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for range 50 {
			ctx, cancel := context.WithCancel(t.Context())
			r := f.request(t, ctx, ask{body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`})
			go cancel()
			if res, err := f.client.Do(r); err == nil {
				res.Body.Close()
			}
		}
	})
}

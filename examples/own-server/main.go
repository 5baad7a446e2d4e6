// Command own-server is anyone's own MCP server, made with the official SDK, behind sign-in. The lines that do it are in
// serve; the tutorial in docs builds this program step by step.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(serve(listener, "http://127.0.0.1:8080/mcp", idp.Dev("http://127.0.0.1:9000")))
}

// serve answers MCP requests on listener, from callers whom provider signed in for resource.
func serve(listener net.Listener, resource string, provider idp.Provider) error {
	guard, err := bearer.New(bearer.Config{Resource: resource, Providers: []idp.Provider{provider}, Scopes: []string{"execute"}})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", guard.Require(greeter(), "execute"))
	guard.Publish(mux)
	return http.Serve(listener, mux)
}

// greeter is an MCP server with one tool, which knows who is calling.
func greeter() http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "greeter", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "greet", Description: "Greet the person who signed in"}, greet)
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
}

func greet(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	who := identity.FromContext(ctx)
	text := fmt.Sprintf("Hello, %s.", cmp.Or(who.Name, who.ClientID))
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

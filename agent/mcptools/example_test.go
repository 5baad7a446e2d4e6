package mcptools_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/agent/mcptools"
	"github.com/fastmcp-auth/fastmcp-auth/client"
)

func ExampleServers() {
	time := offering("time", nil, "now")
	server := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return time }, nil))
	defer server.Close()

	servers := &mcptools.Servers{}
	servers.Add(mcptools.Server{Name: "time", URL: server.URL, Open: func(ctx context.Context) (*client.Session, error) {
		return client.Connect(ctx, server.URL, client.Options{}) // Options.SignIn says who signs in there
	}})
	defer servers.Close()
	tools, err := servers.List(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(tools[0].Name, tools[0].ServerName)
	// Output: now time
}

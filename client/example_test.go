package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/client"
)

// A server that asks nobody to sign in needs no options.
func ExampleConnect() {
	server := mcp.NewServer(&mcp.Implementation{Name: "greeter", Version: "1"}, nil)
	type person struct {
		Name string `json:"name"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "greet"}, func(_ context.Context, _ *mcp.CallToolRequest, p person) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hello, " + p.Name}}}, nil, nil
	})
	at := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	defer at.Close()

	ctx := context.Background()
	session, err := client.Connect(ctx, at.URL, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	result, err := session.Call(ctx, "greet", map[string]any{"name": "Ada"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Content[0].(*mcp.TextContent).Text)
	// Output: Hello, Ada
}

// A refusal names the leg that broke, and what is missing.
func ExampleConnect_refused() {
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer scope="execute"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer at.Close()

	_, err := client.Connect(context.Background(), at.URL, client.Options{})
	var refused *client.UnauthorizedError
	if errors.As(err, &refused) {
		fmt.Println("sign in with scope", refused.Challenge.Scopes)
	}
	// Output: sign in with scope [execute]
}

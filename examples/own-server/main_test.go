package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// TestTutorial walks the tutorial: refused without a token, greeted with one.
func TestTutorial(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	provider, err := devidp.Start(ctx, "127.0.0.1:0", devidp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); provider.Wait() }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	resource := "http://" + listener.Addr().String() + "/mcp"
	go serve(listener, resource, idp.Dev(provider.Issuer()))
	defer listener.Close()

	refused, err := http.Get(resource)
	if err != nil {
		t.Fatal(err)
	}
	refused.Body.Close()
	if refused.StatusCode != http.StatusUnauthorized || !strings.Contains(refused.Header.Get("WWW-Authenticate"), "resource_metadata=") {
		t.Errorf("without a token: %d, challenge %q", refused.StatusCode, refused.Header.Get("WWW-Authenticate"))
	}

	service := clientcredentials.Config{
		ClientID: devidp.ClientService, ClientSecret: devidp.ServiceSecret, TokenURL: provider.URL + "/token",
		Scopes: []string{"execute"}, EndpointParams: map[string][]string{"resource": {resource}},
	}
	token, err := service.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	signedIn := oauth2.NewClient(ctx, oauth2.StaticTokenSource(token))
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: resource, HTTPClient: signedIn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "greet"})
	if err != nil {
		t.Fatal(err)
	}
	if text := result.Content[0].(*mcp.TextContent).Text; text != "Hello, dev-service." {
		t.Errorf("greeted as %q", text)
	}
}

package bearer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// bearing sends a token with each request.
type bearing struct{ token string }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func TestWithTheOfficialSDK(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	server := mcp.NewServer(&mcp.Implementation{Name: "tools", Version: "1"}, nil)
	type none struct{}
	leaked := make(chan string, 1)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami", Description: "names the caller"}, func(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, none, error) {
		if req.Extra != nil {
			leaked <- req.Extra.Header.Get("Authorization")
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: identity.FromContext(ctx).Subject}}}, none{}, nil
	})
	protected := httptest.NewServer(g.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)))
	defer protected.Close()

	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	dial := func(token string) (*mcp.ClientSession, error) {
		return client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: protected.URL, HTTPClient: &http.Client{Transport: bearing{token}}, MaxRetries: -1}, nil)
	}
	alice := sign(t, i.good(), signer{})
	session, err := dial(alice)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "whoami"})
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := result.Content[0].(*mcp.TextContent); !ok || text.Text != "alice" {
		t.Errorf("the tool saw %+v", result.Content[0])
	}
	if got := <-leaked; got != "" {
		t.Error("RS-15 the tool sees the token")
	}
	t.Run("a token that is refused opens no session", func(t *testing.T) {
		if _, err := dial(sign(t, i.good(), signer{key: rsaKeys()[1]})); err == nil {
			t.Error("connected")
		}
	})
	t.Run("RS-17 RS-18 another person's token does not enter the session", func(t *testing.T) {
		id := legacySession(t, protected.URL, alice)
		post := func(token string) int {
			resp := rpc(t, protected.URL, token, id, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
			return resp.StatusCode
		}
		if status := post(alice); status != 200 {
			t.Errorf("alice: %d", status)
		}
		if status := post(sign(t, i.good().with(claimSet{"sub": "bob"}), signer{})); status != 403 && status != 404 {
			t.Errorf("bob in alice's session: %d", status)
		}
		if status := post(sign(t, i.good().with(claimSet{"jti": "refreshed"}), signer{})); status != 200 {
			t.Errorf("alice with a refreshed token: %d", status)
		}
	})
}

// legacySession opens a session of protocol 2025-06-18 and returns its id.
func legacySession(t *testing.T, url, token string) string {
	t.Helper()
	resp := rpc(t, url, token, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	id := resp.Header.Get("Mcp-Session-Id")
	if resp.StatusCode != 200 || id == "" {
		t.Fatalf("initialize: %d, session %q", resp.StatusCode, id)
	}
	rpc(t, url, token, id, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return id
}

func rpc(t *testing.T, url, token, session, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json",
		"Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-06-18", "Mcp-Session-Id": session} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

//go:build unix

package keycloak_test

import (
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// The whole way of our own client: 401, metadata, Keycloak's metadata, a code, Keycloak's pages, a token, the call.
func TestOurClientSignsAPersonIn(t *testing.T) {
	w := keycloak(t)
	ctx := within(t)
	person := newBrowser(t)
	shown := 0
	session, err := client.Connect(ctx, w.server.MCP, client.Options{SignIn: &signin.Device{
		ClientID: "mcp-client",
		Prompt: func(p signin.DevicePrompt) {
			shown++
			if p.Issuer != w.Issuer || p.Server != w.server.MCP {
				t.Errorf("the person is told of issuer %s and server %s", p.Issuer, p.Server)
			}
			person.signIn(p.VerificationURIComplete, "person", w.people["person"])
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	result, err := session.Call(ctx, "reverse_tool", map[string]any{"query": "abc"}, nil)
	if err != nil || result.IsError || !strings.Contains(client.Text(result), "cba") {
		t.Fatalf("the call gave %+v, %v", result, err)
	}
	if shown != 1 {
		t.Errorf("the person was asked %d times, want once", shown)
	}
	token, err := session.TokenSource().Token()
	if err != nil {
		t.Fatal(err)
	}
	w.given = append(w.given, token.AccessToken)
	if id := w.identity(t, token.AccessToken); id.Username != "person" || !id.HasScope("execute") {
		t.Errorf("the token is for %q with %q", id.Username, id.Scopes)
	}
}

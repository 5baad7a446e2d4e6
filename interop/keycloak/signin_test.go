//go:build unix

package keycloak_test

import (
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// The whole way of our own client: 401, metadata, Keycloak's metadata, a code, Keycloak's pages, a token, the call.
func TestOurClientSignsAPersonIn(t *testing.T) {
	w := keycloak(t)
	for _, row := range []struct {
		name, client string
		offline      bool // whether the session may outlive a logout
	}{
		{"through a client that must use PKCE", "mcp-client", true},
		{"through a client that may not have offline_access", "mcp-client-online", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			who := w.signsIn(t, row.client)
			if who.Username != "person" || who.ClientID != row.client || !who.HasScope("execute") || who.HasScope("offline_access") != row.offline {
				t.Errorf("the token is for %q at %q with %q", who.Username, who.ClientID, who.Scopes)
			}
		})
	}
}

// signsIn returns whom the token names that our client got and called a tool with.
func (w *world) signsIn(t *testing.T, id string) *identity.Identity {
	t.Helper()
	ctx := within(t)
	person := newBrowser(t)
	shown := 0
	session, err := client.Connect(ctx, w.server.MCP, client.Options{SignIn: &signin.Device{
		ClientID: id,
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
	return w.identity(t, token.AccessToken)
}

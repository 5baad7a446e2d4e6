//go:build unix

package keycloak_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
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

// registry remembers one registration.
type registry struct{ known signin.Registered }

func (r registry) Registered(issuer string) (signin.Registered, bool) {
	return r.known, issuer == r.known.Issuer
}

func (registry) Remember(signin.Registered) error { return nil }

// Keycloak tells a program that asks for the page as nobody whether it knows it: before a person is sent there.
func TestKeycloakTellsWhetherItKnowsAClient(t *testing.T) {
	w := keycloak(t)
	const redirectURI = "http://127.0.0.1/callback"
	enough := errors.New("the page was shown")
	for id, doubtful := range map[string]bool{"mcp-client": false, "forgotten-client": true} {
		t.Run(id, func(t *testing.T) {
			_, err := client.Connect(within(t), w.server.MCP, client.Options{SignIn: &signin.Paste{
				RedirectURI: redirectURI,
				Clients: signin.Clients{Register: &oauth.ClientMetadata{ClientName: "stranger"},
					Registry: registry{signin.Registered{Issuer: w.Issuer, ID: id, RedirectURI: redirectURI}}},
				Ask: func(_ context.Context, p signin.PastePrompt) (string, error) {
					if p.Doubtful != doubtful {
						t.Errorf("doubtful: %v", p.Doubtful)
					}
					return "", enough
				},
			}})
			if !errors.Is(err, enough) {
				t.Errorf("error %v", err)
			}
		})
	}
}

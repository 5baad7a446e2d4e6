//go:build unix

package keycloak_test

import (
	"slices"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

func TestTokensAreAccepted(t *testing.T) {
	w := keycloak(t)
	for _, row := range []struct {
		name  string
		token func(t *testing.T) string
		want  identity.Identity // Subject, TokenID and Expiry apart
		opens []string
	}{
		{"a program by client credentials", func(t *testing.T) string { return w.programToken(t, "program", "execute") },
			identity.Identity{Kind: identity.App, Username: "service-account-program", ClientID: "program", Scopes: []string{"execute"}},
			[]string{"get_current_time", "reverse_tool"}},
		{"a program that asked for little", func(t *testing.T) string { return w.programToken(t, "program", "time:read") },
			identity.Identity{Kind: identity.App, Username: "service-account-program", ClientID: "program", Scopes: []string{"time:read"}},
			[]string{"get_current_time"}},
		{"a program with a role of the realm and no scope", func(t *testing.T) string { return w.programToken(t, "program-with-role", "") },
			identity.Identity{Kind: identity.App, Username: "service-account-program-with-role", ClientID: "program-with-role", Roles: []string{"Tools.Execute"}},
			[]string{"get_current_time", "reverse_tool"}},
		{"a program with a role of the API's client and no scope", func(t *testing.T) string { return w.programToken(t, "program-with-client-role", "") },
			identity.Identity{Kind: identity.App, Username: "service-account-program-with-client-role", ClientID: "program-with-client-role", Roles: []string{"Tools.Execute"}},
			[]string{"get_current_time", "reverse_tool"}},
		{"a person by the device flow", func(t *testing.T) string { return w.byDevice(t, "person", "openid execute").AccessToken },
			identity.Identity{Kind: identity.Person, Username: "person", Name: "A Person", Email: "person@example.com", ClientID: "mcp-client",
				Scopes: []string{"openid", "execute"}, Roles: []string{"Tools.Execute"}},
			[]string{"get_current_time", "reverse_tool"}},
		{"a person by authorization code and PKCE, back to 127.0.0.1", func(t *testing.T) string {
			return w.byBrowser(t, "127.0.0.1", "person", "openid time:read").AccessToken
		},
			identity.Identity{Kind: identity.Person, Username: "person", Name: "A Person", Email: "person@example.com", ClientID: "mcp-client",
				Scopes: []string{"openid", "time:read"}, Roles: []string{"Tools.Execute"}},
			[]string{"get_current_time"}},
		{"a person by authorization code and PKCE, back to localhost", func(t *testing.T) string {
			return w.byBrowser(t, "localhost", "converter", "openid time:convert").AccessToken
		},
			identity.Identity{Kind: identity.Person, Username: "converter", Name: "A Converter", Email: "converter@example.com", ClientID: "mcp-client",
				Scopes: []string{"openid", "time:convert"}, Roles: []string{"converter"}},
			[]string{"convert_time"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := row.token(t)
			id := w.identity(t, token)
			if id.Provider != "keycloak" || id.Issuer != w.Issuer || id.Subject == "" || id.Expiry.IsZero() || id.TokenID == "" {
				t.Errorf("provider %q, issuer %q, subject %q, token id %q, expiry %v", id.Provider, id.Issuer, id.Subject, id.TokenID, id.Expiry)
			}
			if id.Kind != row.want.Kind || id.ClientID != row.want.ClientID || id.Username != row.want.Username || id.Name != row.want.Name || id.Email != row.want.Email {
				t.Errorf("got %+v, want %+v", *id, row.want)
			}
			for _, scope := range row.want.Scopes {
				if !id.HasScope(scope) {
					t.Errorf("scopes are %q, want %q among them", id.Scopes, scope)
				}
			}
			for _, scope := range []string{"execute", "time:read", "time:convert"} {
				if id.HasScope(scope) && !slices.Contains(row.want.Scopes, scope) {
					t.Errorf("scopes are %q, and nobody asked for %q", id.Scopes, scope)
				}
			}
			for _, role := range []string{"Tools.Execute", "converter"} {
				if id.HasRole(role) != slices.Contains(row.want.Roles, role) {
					t.Errorf("roles are %q, want %q", id.Roles, row.want.Roles)
				}
			}
			for _, tool := range row.opens {
				w.server.allows(t, token, tool)
			}
		})
	}
}

// The same person and the same program are the same caller whichever token names them, and nobody else.
func TestCallersKeepTheirKey(t *testing.T) {
	w := keycloak(t)
	person := w.identity(t, w.byDevice(t, "person", "openid execute").AccessToken)
	again := w.identity(t, w.byBrowser(t, "127.0.0.1", "person", "openid time:read").AccessToken)
	program := w.identity(t, w.programToken(t, "program", "execute"))
	if person.Key() != again.Key() {
		t.Errorf("one person has the keys %q and %q", person.Key(), again.Key())
	}
	if program.Key() == person.Key() {
		t.Errorf("a program and a person share the key %q", program.Key())
	}
}

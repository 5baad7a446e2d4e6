package interop_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// lines are the two lines of the TypeScript client.
var lines = []struct{ name, library string }{
	{"client 2", "client"},
	{"client 1", "sdk"},
}

// initialize is a first request as any client may send it.
var initialize = map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": map[string]any{
	"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "test", "version": "1"},
}}

// metadataURL is where RFC 9728, section 3.1, puts the document of this server.
func (s *server) metadataURL(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(s.MCP)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/.well-known/oauth-protected-resource" + u.Path
	return u.String()
}

func TestTypeScriptClientIsRefusedWithoutToken(t *testing.T) {
	s := serve(t)
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := one(t, play(t, "call.mjs", options{Library: row.library, Version: row.version, URL: s.MCP}).end(), "error")
			want := map[string]string{"client": "SdkHttpError", "sdk": "StreamableHTTPError"}[row.library]
			if e.Step != "connect" || e.Name != want || e.Status != 401 && e.Code != 401.0 {
				t.Errorf("connecting ended with %+v, want a %s with status 401", e, want)
			}
			// Where the client negotiates a version first, its message is its own, and what the server said stands beside it.
			if !strings.Contains(e.Message+e.Body, "sign in") || !strings.Contains(e.Message, "401") && !strings.Contains(e.Message, "sign in") {
				t.Errorf("a person would not learn what to do from %q and %q", e.Message, e.Body)
			}
		})
	}
}

func TestTypeScriptClientIsRefusedWithoutTokenAndFindsWhereToSignIn(t *testing.T) {
	s := serve(t)
	for _, row := range lines {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "discover.mjs", options{Library: row.library, URL: s.MCP, Request: initialize}).end()
			unharmed(t, events)
			e := one(t, events, "challenge")
			if e.Status != 401 || e.Error != "" || e.ResourceMetadata != s.metadataURL(t) || e.Scope == "" {
				t.Errorf("the challenge reads as %+v, want 401 without error, with %s and a scope", e, s.metadataURL(t))
			}
			findsProvider(t, s, events)
		})
	}
}

func TestTypeScriptClientIsRefusedWithAnInvalidToken(t *testing.T) {
	s := serve(t)
	token := s.serviceToken(t, "execute")
	for _, row := range lines {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			spoilt := token[:len(token)-8] + "AAAAAAAA"
			events := play(t, "discover.mjs", options{Library: row.library, URL: s.MCP, Token: spoilt, Request: initialize}).end()
			unharmed(t, events)
			e := one(t, events, "challenge")
			if e.Status != 401 || e.Error != "invalid_token" || e.ResourceMetadata != s.metadataURL(t) {
				t.Errorf("the challenge reads as %+v, want 401 with invalid_token and %s", e, s.metadataURL(t))
			}
			findsProvider(t, s, events)

			o := options{Library: row.library, URL: s.MCP, As: "token", Token: spoilt}
			e = one(t, play(t, "call.mjs", o).end(), "error")
			if e.Name != "UnauthorizedError" && e.Code != 401.0 {
				t.Errorf("connecting ended with %+v", e)
			}
		})
	}
}

// findsProvider holds what the client's discovery made of a challenge against what the server and its provider are.
func findsProvider(t *testing.T, s *server, events []event) {
	t.Helper()
	resources := only(events, "resource")
	if len(resources) != 2 {
		t.Fatalf("the metadata was found %d times, want by the challenge and by the well-known path", len(resources))
	}
	for _, e := range resources {
		servers, _ := e.Metadata["authorization_servers"].([]any)
		if e.Metadata["resource"] != s.MCP || !slices.Contains(servers, any(s.Issuer)) {
			t.Errorf("the resource describes itself as %v, want %s with %s", e.Metadata, s.MCP, s.Issuer)
		}
	}
	e := one(t, events, "authorization-server")
	if e.URL != s.Issuer || e.Metadata["issuer"] != s.Issuer {
		t.Errorf("the authorization server is %s, issuer %v, want %s", e.URL, e.Metadata["issuer"], s.Issuer)
	}
	for _, endpoint := range []string{"authorization_endpoint", "token_endpoint", "registration_endpoint"} {
		if at, _ := e.Metadata[endpoint].(string); !strings.HasPrefix(at, s.Issuer) {
			t.Errorf("the %s is %q", endpoint, at)
		}
	}
	methods, _ := e.Metadata["code_challenge_methods_supported"].([]any)
	if !slices.Contains(methods, any("S256")) {
		t.Errorf("PKCE methods are %v", methods)
	}
}

func TestTypeScriptClientIsRefusedWithTooLittleScope(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	token := s.personToken(t, "reader", "time:read")
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, URL: s.MCP, As: "token", Token: token,
				Calls: []call{reverse("abc"), {"get_current_time", map[string]any{"timezone": "UTC"}}},
			}).end()
			e := one(t, events, "error")
			if e.Step != "call" {
				t.Fatalf("%s failed: %+v", e.Step, e)
			}
			switch row.library {
			case "client":
				if e.Name != "InsufficientScopeError" || e.RequiredScope != "execute" || e.ResourceMetadata != s.metadataURL(t) || e.Description == "" {
					t.Errorf("the call ended with %+v, want an InsufficientScopeError that names execute", e)
				}
			case "sdk":
				if e.Name != "StreamableHTTPError" || e.Code != 403.0 || !strings.Contains(e.Message, "execute") {
					t.Errorf("the call ended with %+v, want a 403 that names execute", e)
				}
			}
			if e := one(t, events, "result"); e.Index != 1 || e.Structured["timezone"] != "UTC" {
				t.Errorf("the call that time:read allows gave %+v", e)
			}
		})
	}
}

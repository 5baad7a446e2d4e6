package interop_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The whole of the client's own authorization flow: 401, metadata, registration, PKCE, the provider's page, the code, the
// token, the call; and once the access token no longer works, its own refresh.
func TestTypeScriptClientSignsAPersonIn(t *testing.T) {
	s := serve(t, "--reverse-duration", "100ms")
	for _, registration := range []struct{ name, clientID string }{
		{"registering itself", ""},
		{"known from the start", "dev-cli"},
	} {
		for _, row := range clients {
			t.Run(registration.name+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				p := play(t, "call.mjs", options{
					Library: row.library, Version: row.version, URL: s.MCP, As: "person", ClientID: registration.clientID,
					Calls: []call{reverse("abc")}, Again: true,
				})
				asked := p.until("authorize")
				asksProperly(t, s, asked.URL)
				newBrowser(t).signIn(asked.URL, "user")
				events := p.end()
				unharmed(t, events)

				if client := only(events, "client"); registration.clientID == "" && (len(client) == 0 || !client[0].Registered) {
					t.Errorf("the client did not register: %+v", client)
				}
				tokens := only(events, "tokens")
				if len(tokens) != 2 {
					t.Fatalf("it was given tokens %d times, want once for the code and once for the refresh", len(tokens))
				}
				for _, e := range tokens {
					if !strings.EqualFold(e.Type, "Bearer") || !e.Refreshes || e.ExpiresIn <= 0 {
						t.Errorf("tokens are %+v", e)
					}
				}
				if n := len(only(events, "authorize")); n != 1 {
					t.Errorf("the person was asked %d times, want once", n)
				}
				results := only(events, "result")
				if len(results) != 2 {
					t.Fatalf("%d calls came back, want two", len(results))
				}
				for _, e := range results {
					if e.Structured["reversed_query"] != "cba" {
						t.Errorf("the call gave %+v", e)
					}
				}
				if len(only(events, "progress")) == 0 {
					t.Error("no call showed progress")
				}
			})
		}
	}
}

// asksProperly holds the client's authorization request: it is what the server's challenge and metadata led it to.
func asksProperly(t *testing.T, s *server, authorize string) {
	t.Helper()
	u, err := url.Parse(authorize)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("resource") != s.MCP || q.Get("scope") == "" {
		t.Errorf("the client asks with %v, want S256, resource %s and a scope", q, s.MCP)
	}
	if at := s.endpoint(t, "authorization_endpoint"); !strings.HasPrefix(authorize, at+"?") {
		t.Errorf("the client asks at %s, want %s", authorize, at)
	}
}

// A person who signed in for little is asked again when a call needs more: the client takes the scopes from the challenge
// of the 403, joins them to what it had, and makes the call once more. (The older line spends its refresh token on this
// instead, which by RFC 6749, section 6, cannot widen anything.)
func TestTypeScriptClientStepsUp(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	for _, row := range clients {
		if row.library == "sdk" {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, URL: s.MCP, As: "person", Scope: "time:read",
				Calls: []call{reverse("abc")},
			})
			person := newBrowser(t)
			for _, want := range [][]string{{"time:read"}, {"execute", "time:read"}} {
				asked := p.until("authorize")
				asksProperly(t, s, asked.URL)
				if got := scopesAsked(t, asked.URL); !slices.Equal(got, want) {
					t.Errorf("the client asks for %v, want %v", got, want)
				}
				person.signIn(asked.URL, "admin")
			}
			events := p.end()
			unharmed(t, events)
			if e := one(t, events, "result"); e.Structured["reversed_query"] != "cba" {
				t.Errorf("the call gave %+v", e)
			}
		})
	}
}

// scopesAsked are the scopes of an authorization request, sorted, without offline_access: a client adds that by itself
// where the provider offers it.
func scopesAsked(t *testing.T, authorize string) []string {
	t.Helper()
	u, err := url.Parse(authorize)
	if err != nil {
		t.Fatal(err)
	}
	scopes := strings.Fields(u.Query().Get("scope"))
	slices.Sort(scopes)
	return slices.DeleteFunc(scopes, func(s string) bool { return s == "offline_access" })
}

// A program signs in with its own secret, by the provider class the library ships for it.
func TestTypeScriptClientSignsAServiceIn(t *testing.T) {
	s := serve(t, "--reverse-duration", "0s")
	for _, row := range clients {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			events := play(t, "call.mjs", options{
				Library: row.library, Version: row.version, URL: s.MCP, As: "service", Issuer: s.Issuer,
				ClientID: "dev-service", ClientSecret: "dev-service-secret", Calls: []call{reverse("abc")},
			}).end()
			unharmed(t, events)
			if e := one(t, events, "result"); e.Structured["reversed_query"] != "cba" {
				t.Errorf("the call gave %+v", e)
			}
		})
	}
}

// A client that is sent to the wrong secret is told so by the provider's own words.
func TestTypeScriptClientIsRefusedWithAWrongSecret(t *testing.T) {
	s := serve(t)
	for _, row := range lines {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := one(t, play(t, "call.mjs", options{
				Library: row.library, URL: s.MCP, As: "service", Issuer: s.Issuer,
				ClientID: "dev-service", ClientSecret: "not-the-secret",
			}).end(), "error")
			if e.Step != "connect" || !slices.Contains([]any{"invalid_client"}, e.Code) && e.Name != "InvalidClientError" {
				t.Errorf("connecting ended with %+v, want invalid_client", e)
			}
		})
	}
}

// A person who declines on the provider's page ends the attempt, and the client can say so. (The older line leaves the
// callback's error to the program that uses it.)
func TestTypeScriptClientIsToldWhenThePersonDeclines(t *testing.T) {
	s := serve(t)
	p := play(t, "call.mjs", options{Library: "client", Version: "auto", URL: s.MCP, As: "person"})
	newBrowser(t).signIn(p.until("authorize").URL, "deny")
	events := p.end()
	if e := one(t, events, "error"); e.Step != "connect" || e.Code != "access_denied" {
		t.Errorf("connecting ended with %+v, want access_denied", e)
	}
	if n := len(only(events, "tokens")); n != 0 {
		t.Errorf("it was given tokens %d times", n)
	}
}

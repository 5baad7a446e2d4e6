//go:build unix

package keycloak_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
)

func TestTokensAreRefused(t *testing.T) {
	w := keycloak(t)
	person := w.byDevice(t, "person", "openid execute")
	for _, row := range []struct {
		name   string
		token  string
		reason bearer.Reason
		cause  string
	}{
		{"RS-9 RS-10 a token without the server's audience, since no scope with the mapper was asked for", w.programToken(t, "program", ""), bearer.ReasonAudience, `aud ["account"]`},
		{"RS-9 RS-10 a lightweight token, which leaves the audience out", w.programToken(t, "lightweight-program", "execute"), bearer.ReasonAudience, "no aud"},
		{"attack 25 an ID token, which is for the client", person.IDToken, bearer.ReasonAudience, `aud ["mcp-client"]`},
		{"attack 25 a refresh token, which is Keycloak's own and symmetric", person.RefreshToken, bearer.ReasonAlgorithm, `alg "HS512"`},
		{"an access token with another signature", spoilt(person.AccessToken), bearer.ReasonSignature, "kid "},
		{"a token of the realm master", w.masterToken(t), bearer.ReasonIssuer, "/realms/master"},
	} {
		t.Run(row.name+", is refused", func(t *testing.T) { w.server.refuses(t, row.token, row.reason, row.cause) })
	}
}

// The audience of an ID token is the client's id. Where somebody makes that the server's URL too, so that the audience
// fits, the kind of token still tells.
func TestAnIDTokenForTheServerIsRefused(t *testing.T) {
	w := keycloak(t)
	token := w.byDevice(t, "person", "openid execute").IDToken
	guard := w.verifier(t, func(c *bearer.Config) { c.Audience = []string{"mcp-client"} })
	_, err := guard.Verify(within(t), token)
	if bearer.ReasonOf(err) != bearer.ReasonType || !strings.Contains(causes(err), `claim typ is "ID"`) {
		t.Errorf("got %v, want type", err)
	}
}

// Two servers may trust one realm. A token for one of them is none for the other, whatever it may do there.
func TestRS9_ATokenForAnotherServerOfTheRealmIsRefused(t *testing.T) {
	w := keycloak(t)
	token := w.byDevice(t, "person", "openid execute").AccessToken
	w.server.allows(t, token, "reverse_tool")
	other := w.serverFor(t, "https://other.example.com/mcp")
	other.refuses(t, token, bearer.ReasonAudience, w.Audience)
}

// A rule may ask for a role of Keycloak's: it lets in who has the role, whatever others may ask for by scope.
func TestARoleOpensToItsPeopleOnly(t *testing.T) {
	w := keycloak(t)
	rules := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(rules, []byte(`rules:
  - name: converters
    tools: [convert_time]
    roles: [converter]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := w.anotherServer(t, "--policy-file", rules)
	s.allows(t, w.byDevice(t, "converter", "openid execute").AccessToken, "convert_time")
	r := s.call(t, w.byDevice(t, "person", "openid execute").AccessToken, "convert_time")
	if r.status != http.StatusBadRequest || !strings.Contains(r.body, "unknown tool") {
		t.Errorf("a person without the role is answered %d %s", r.status, r.body)
	}
}

func TestTokensWithTooLittleAreRefused(t *testing.T) {
	w := keycloak(t)
	for _, row := range []struct {
		name, token, tool, scope string
	}{
		{"RS-12 a program with a narrow scope, at a tool that needs the broad one", w.programToken(t, "program", "time:read"), "reverse_tool", "execute"},
		{"RS-12 a program without a scope and without a role, at the clock", w.programToken(t, "program-without-role", ""), "get_current_time", "time:read"},
		{"RS-12 a program without a scope and without a role, at a tool that needs the broad scope", w.programToken(t, "program-without-role", ""), "reverse_tool", "execute"},
		{"RS-12 a person with a narrow scope, whose role does not stand in for the broad one", w.byDevice(t, "person", "openid time:read").AccessToken, "reverse_tool", "execute"},
	} {
		t.Run(row.name+", is refused", func(t *testing.T) { w.server.needs(t, row.token, row.tool, row.scope) })
	}
}

// A client scope with a role is given only to those who have the role: others get a token without it.
func TestAScopeOfARoleIsGivenToItsPeopleOnly(t *testing.T) {
	w := keycloak(t)
	without := w.byDevice(t, "person", "openid time:read time:convert")
	if slices.Contains(strings.Fields(without.Scope), "time:convert") {
		t.Errorf("a person without the role is given %q", without.Scope)
	}
	w.server.allows(t, without.AccessToken, "get_current_time")
	w.server.needs(t, without.AccessToken, "convert_time", "time:convert")
	w.server.allows(t, w.byDevice(t, "converter", "openid time:convert").AccessToken, "convert_time")
}

// A token is good until its end and the allowed difference between clocks, which is none here.
func TestAnExpiredTokenIsRefused(t *testing.T) {
	w := keycloak(t)
	s := w.anotherServer(t, "--tokens-leeway", "0s")
	token := w.programToken(t, "brief-program", "execute")
	s.allows(t, token, "get_current_time")
	eventually(t, "a token of five seconds ends", func() bool { return s.call(t, token, "get_current_time").status != http.StatusOK })
	s.refuses(t, token, bearer.ReasonExpired, "expired ")
}

// What Keycloak itself refuses, in the words that the provider's page explains.
func TestKeycloakRefuses(t *testing.T) {
	w := keycloak(t)
	secret := w.secrets["program-with-role"]
	for _, row := range []struct {
		name, endpoint string
		form           url.Values
		code, says     string
	}{
		{"a scope that the client was not given", "token",
			url.Values{"grant_type": {"client_credentials"}, "client_id": {"program-with-role"}, "client_secret": {secret}, "scope": {"execute"}},
			"invalid_scope", "Invalid scopes"},
		{"the device flow of a client whose switch for it is off", "auth/device",
			url.Values{"client_id": {"program-with-role"}, "client_secret": {secret}},
			"unauthorized_client", "Device Authorization Grant"},
		{"the device flow without PKCE of a client that must use it", "auth/device",
			url.Values{"client_id": {"mcp-client"}, "scope": {"execute"}},
			"invalid_request", "Missing parameter: code_challenge_method"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := w.ask(within(t), w.Name, row.endpoint, row.form)
			var e *refused
			if !errors.As(err, &e) || e.Code != row.code || !strings.Contains(e.Description, row.says) {
				t.Errorf("got %v, want %s with %q", err, row.code, row.says)
			}
		})
	}
}

// Clients may not register themselves until somebody allows it.
func TestKeycloakRefusesStrangersThatRegister(t *testing.T) {
	w := keycloak(t)
	req, err := http.NewRequestWithContext(within(t), http.MethodPost, w.Issuer+"/clients-registrations/openid-connect",
		strings.NewReader(`{"client_name":"stranger","redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusForbidden || !strings.Contains(string(body), "Policy 'Trusted Hosts' rejected request") {
		t.Errorf("got %s %s, %v", res.Status, body, err)
	}
}

// anotherServer trusts the same realm and the same audience, with settings of its own.
func (w *world) anotherServer(t *testing.T, flags ...string) *server {
	t.Helper()
	return w.serverFor(t, w.Audience, flags...)
}

// serverFor trusts the same realm, for tokens of this audience.
func (w *world) serverFor(t *testing.T, audience string, flags ...string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := serve(ctx, w.scratch, append([]string{"--provider-issuer", w.Issuer, "--provider-audience", audience}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	s.secrets = w.allSecrets()
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (w *world) masterToken(t *testing.T) string {
	t.Helper()
	granted, err := w.ask(within(t), "master", "token", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {w.Administrator}, "password": {w.password},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.given = append(w.given, granted.AccessToken)
	return granted.AccessToken
}

// spoilt is the token with another signature.
func spoilt(token string) string { return token[:len(token)-8] + "AAAAAAAA" }

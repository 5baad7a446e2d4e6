//go:build unix

package keycloak_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/interop/console"
)

// site is the web console of a server of its own, whose people sign in at a realm of their own as a confidential client.
type site struct {
	*world
	line *line
	base string // URL of its pages, without a slash at the end
}

// newSite follows docs/providers/keycloak.md: a server that names the console's client, then that client, with what else
// attributes say of it.
func newSite(t *testing.T, name string, attributes map[string]string, settings ...string) *site {
	t.Helper()
	shared := keycloak(t)
	console.Need(t)
	ctx := within(t)
	r, err := shared.newRealm(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	secret := newSecret()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &site{line: shared.newLine(t)}
	server, err := serve(ctx, shared.scratch, append([]string{"--provider-issuer", s.line.URL, "--provider-realm", name, "--store-kind", "memory",
		"--console-client-id", "mcp-console", "--console-client-secret-file", file}, settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", tail(server.log.bytes()))
		}
	})
	if err := r.furnish(ctx, server.MCP); err != nil {
		t.Fatal(err)
	}
	s.world, s.base = &world{r, server}, strings.TrimSuffix(server.MCP, "/mcp")
	r.secrets["mcp-console"] = secret
	server.secrets = r.allSecrets()
	all := map[string]string{
		"pkce.code.challenge.method": "S256", "post.logout.redirect.uris": s.base + "/signed-out",
		"backchannel.logout.url": s.base + "/auth/backchannel-logout", "backchannel.logout.session.required": "true",
	}
	for name, value := range attributes {
		all[name] = value
	}
	client, err := r.admin(ctx, http.MethodPost, "/clients", map[string]any{
		"clientId": "mcp-console", "secret": secret, "standardFlowEnabled": true, "directAccessGrantsEnabled": false,
		"redirectUris": []string{s.base + "/auth/callback"}, "attributes": all,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"execute", "time:read"} {
		if _, err := r.admin(ctx, http.MethodPut, "/clients/"+client+"/optional-client-scopes/"+r.scopes[scope], nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// walk lets the realm's people walk, by the line.
func (s *site) walk(t *testing.T, script string) {
	t.Helper()
	who := func(user, name string) console.Person {
		return console.Person{Name: name, User: user, Password: s.people[user]}
	}
	console.Walk{
		Script: script, Console: s.base, Issuer: s.line.URL + "/realms/" + s.Name, Tells: true, Kind: "keycloak",
		People: map[string]console.Person{"first": who("person", "A Person"), "second": who("converter", "A Converter"), "off": who("former", "A Former")},
		Hands: console.Hands{
			"down":    func(string) error { s.line.Cut(true); return nil },
			"up":      func(string) error { s.line.Cut(false); return nil },
			"disable": func(user string) error { return s.enable(t.Context(), user, false) },
			"enable":  func(user string) error { return s.enable(t.Context(), user, true) },
			"logout":  func(user string) error { return s.logout(t.Context(), user) },
		},
	}.Run(t)
}

// enable lets a person in, or not any more.
func (s *site) enable(ctx context.Context, user string, on bool) error {
	who, at, err := s.account(ctx, user)
	if err != nil {
		return err
	}
	who["enabled"] = on
	_, err = s.admin(ctx, http.MethodPut, at, who, nil)
	return err
}

// logout ends a person's sign-ins. Keycloak says when it did so by the name it is asked by, so it is asked by the line.
func (s *site) logout(ctx context.Context, user string) error {
	_, at, err := s.account(ctx, user)
	if err != nil {
		return err
	}
	byLine := *s.running
	byLine.URL, byLine.token = s.line.URL, adminToken{} // its own token names the other way
	_, err = byLine.administer(ctx, http.MethodPost, "/realms/"+s.Name+at+"/logout", nil, nil)
	return err
}

// account is what Keycloak keeps of a person, and where.
func (s *site) account(ctx context.Context, user string) (who map[string]any, at string, err error) {
	var found []map[string]any
	if _, err := s.admin(ctx, http.MethodGet, "/users?exact=true&username="+user, nil, &found); err != nil {
		return nil, "", err
	}
	if len(found) != 1 {
		return nil, "", fmt.Errorf("%d people are called %s", len(found), user)
	}
	return found[0], "/users/" + found[0]["id"].(string), nil
}

// attack 9: what other pages send. attack 10: a sign-in that another site has begun. And all that people do.
func TestAttack9_Attack10_TheConsoleSignedIn(t *testing.T) {
	policy, err := filepath.Abs("../console/clock.yaml")
	if err != nil {
		t.Fatal(err)
	}
	newSite(t, "console", nil, "--reverse-duration", "10s", "--policy-file", policy).walk(t, "signed_in.mjs")
}

// attack 33: a person who is disabled while signed in. attack 54: a Keycloak that is down.
func TestAttack33_TheConsoleAndAKeycloakInTrouble(t *testing.T) {
	s := newSite(t, "trouble", map[string]string{"access.token.lifespan": "15"}, "--reverse-duration", "1s")
	s.walk(t, "trouble.mjs")
	if _, err := s.server.wait(within(t), s.server.log, regexp.MustCompile("the provider ended a session")); err != nil {
		t.Error(err)
	}
}

func TestTheConsoleWhenASessionsTimeIsUp(t *testing.T) {
	newSite(t, "expiry", nil, "--console-idle", "15s", "--console-lifetime", "30s").walk(t, "expiry.mjs")
}

// Nothing that a script in the page can reach, and nothing that was ever sent to the browser, holds a token.
func TestNoTokenInTheBrowser(t *testing.T) {
	newSite(t, "reach", nil, "--reverse-duration", "1s").walk(t, "reach.mjs")
}

// The provider's administrator ends a person's sign-ins: Keycloak says so, and the page hears of it.
func TestAnAdministratorEndsASession(t *testing.T) {
	s := newSite(t, "logout", nil)
	s.walk(t, "told.mjs")
	if strings.Contains(string(s.server.log.bytes()), "the provider ended a session") {
		t.Error("it was a refresh that ended it, and not Keycloak's word")
	}
}

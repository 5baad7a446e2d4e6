package signin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const mcpURL = "http://127.0.0.1:8000/mcp"

// manner is the development provider in one character, with what a client must know to use it.
type manner struct {
	name     string
	options  devidp.Options
	client   string // a public client
	service  string // a confidential one
	scope    string
	provider *idp.Provider
}

func manners() []manner {
	entra := idp.Entra(devidp.EntraTenant)
	return []manner{
		{"standard", devidp.Options{Resources: []string{mcpURL}}, devidp.ClientCLI, devidp.ClientService, "execute", nil},
		{"entra", devidp.Options{Character: devidp.Entra}, devidp.EntraCLI, devidp.EntraService, devidp.EntraAPIURI + "/execute", &entra},
	}
}

func each(t *testing.T, test func(*testing.T, manner)) {
	for _, m := range manners() {
		t.Run(m.name, func(t *testing.T) { test(t, m) })
	}
}

// start runs the provider, and makes a request as an MCP server that trusts it would cause.
func (m manner) start(t *testing.T) (*devidp.Running, *signin.Request) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := devidp.Start(ctx, "127.0.0.1:0", m.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); p.Wait() })
	r := &signin.Request{
		Server:    mcpURL,
		Challenge: &oauth.Challenge{Scheme: "Bearer", Scopes: []string{m.scope}},
		Resource:  oauth.ResourceMetadata{Resource: mcpURL, AuthorizationServers: []string{p.Issuer()}},
	}
	readJSON(t, p.Issuer()+"/.well-known/openid-configuration", &r.Authorization)
	return p, r
}

func readJSON(t *testing.T, at string, v any) {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", at, resp.Status, err)
	}
}

// person opens pages and chooses user on them, as a browser does in the background, and notes where it was.
type person struct {
	t     *testing.T
	user  string
	pages []*url.URL // that were opened
	ends  []string   // what the last page of each said
}

func (p *person) open(ctx context.Context, page string) error {
	u, err := url.Parse(page)
	if err != nil {
		return err
	}
	p.pages = append(p.pages, u)
	to, err := new(devidp.Visitor).SignIn(ctx, page, p.user)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	status, body := visit(p.t, to.String())
	p.ends = append(p.ends, fmt.Sprint(status)+" "+body)
	return nil
}

func visit(t *testing.T, page string) (int, string) {
	t.Helper()
	resp, err := http.Get(page)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(body)
}

// claimsOf reads a token without checking it.
func claimsOf(t *testing.T, source oauth2.TokenSource) map[string]any {
	t.Helper()
	token, err := jwt.ParseSigned(access(t, source), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := token.UnsafeClaimsWithoutVerification(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// house is a protected MCP server and the development provider that it trusts, in one character.
type house struct {
	provider *devidp.Running
	preset   *idp.Provider // as a client must be told of it; nil where its issuer says enough
	cli      string        // a public client's id
	service  string        // a confidential client's
	mcp      string
}

func houses(t *testing.T, test func(*testing.T, *house)) {
	for _, character := range []devidp.Character{devidp.Standard, devidp.Entra} {
		t.Run(character.String(), func(t *testing.T) { test(t, newHouse(t, character)) })
	}
}

func newHouse(t *testing.T, character devidp.Character) *house {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := devidp.Start(ctx, "127.0.0.1:0", devidp.Options{Character: character})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); p.Wait() })
	mux := http.NewServeMux()
	at := httptest.NewServer(mux)
	t.Cleanup(at.Close)
	h := &house{provider: p, cli: devidp.ClientCLI, service: devidp.ClientService, mcp: at.URL + "/mcp"}
	c := bearer.Config{Resource: h.mcp, Providers: []idp.Provider{idp.Dev(p.Issuer())}, Scopes: []string{"execute"}}
	if character == devidp.Entra {
		preset := idp.EntraIn(idp.EntraCloud{Login: p.URL, STS: p.URL}, devidp.EntraTenant)
		h.preset, h.cli, h.service = &preset, devidp.EntraCLI, devidp.EntraService
		c.Providers, c.Audience, c.ScopePrefix = []idp.Provider{preset}, []string{devidp.EntraAPI}, devidp.EntraAPIURI+"/"
	}
	guard, err := bearer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "house", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "who"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		id := identity.FromContext(ctx)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(id.Kind) + " " + id.Name}}}, nil, nil
	})
	guard.Publish(mux)
	mux.Handle("/mcp", guard.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})))
	return h
}

// who calls the one tool.
func (h *house) who(t *testing.T, way client.SignIn) (string, error) {
	t.Helper()
	s, err := client.Connect(t.Context(), h.mcp, client.Options{SignIn: way})
	if err != nil {
		return "", err
	}
	defer s.Close()
	result, err := s.Call(t.Context(), "who", nil, nil)
	if err != nil {
		return "", err
	}
	return client.Text(result), nil
}

// visitor opens pages as user, and follows where they lead.
func visitor(user string) func(context.Context, string) error {
	return func(ctx context.Context, page string) error {
		to, err := new(devidp.Visitor).SignIn(ctx, page, user)
		if err != nil {
			return err
		}
		resp, err := http.Get(to.String())
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
}

func TestEveryWayToSignInLeadsToACalledTool(t *testing.T) {
	houses(t, func(t *testing.T, h *house) {
		ways := map[string]client.SignIn{
			"in the browser": &signin.Browser{ClientID: h.cli, Provider: h.preset, Open: visitor(devidp.UserUser)},
			"by a pasted address": &signin.Paste{ClientID: h.cli, Provider: h.preset, Ask: func(ctx context.Context, p signin.PastePrompt) (string, error) {
				to, err := new(devidp.Visitor).SignIn(ctx, p.URL, devidp.UserUser)
				if err != nil {
					return "", err
				}
				return to.String(), nil
			}},
			"on another device": &signin.Device{ClientID: h.cli, Provider: h.preset, Prompt: func(p signin.DevicePrompt) {
				if err := new(devidp.Visitor).ApproveDevice(t.Context(), p.VerificationURI, p.UserCode, devidp.UserUser); err != nil {
					t.Error(err)
				}
			}},
		}
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if got, err := h.who(t, way); err != nil || !strings.HasPrefix(got, "person ") {
					t.Errorf("the tool is called by %q, error %v", got, err)
				}
			})
		}
		t.Run("a program with a secret", func(t *testing.T) {
			t.Parallel()
			way := &signin.ClientCredentials{Provider: h.preset, Clients: signin.Clients{Known: []signin.Client{{Issuer: h.provider.Issuer(), ID: h.service,
				Proof: signin.ClientSecret{Secret: devidp.ServiceSecret}}}}}
			got, err := h.who(t, way)
			if err != nil || !strings.HasPrefix(got, "app ") {
				t.Errorf("the tool is called by %q, error %v", got, err)
			}
		})
		t.Run("a client that registers itself", func(t *testing.T) {
			t.Parallel()
			way := &signin.Browser{Provider: h.preset, Open: visitor(devidp.UserUser), Clients: signin.Clients{Register: &oauth.ClientMetadata{ClientName: "test"}}}
			got, err := h.who(t, way)
			if h.preset != nil { // Entra 12: it registers nobody
				if !errors.Is(err, signin.ErrClientIDNeeded) {
					t.Errorf("error %v", err)
				}
			} else if err != nil || !strings.HasPrefix(got, "person ") {
				t.Errorf("the tool is called by %q, error %v", got, err)
			}
		})
	})
}

func TestADisabledUserIsToldSo(t *testing.T) {
	houses(t, func(t *testing.T, h *house) {
		way := &signin.Browser{ClientID: h.cli, Provider: h.preset, Open: visitor(devidp.UserDisabled), Prompt: func(signin.BrowserPrompt) {}}
		way.Open = func(ctx context.Context, page string) error {
			if _, err := new(devidp.Visitor).SignIn(ctx, page, devidp.UserDisabled); err == nil {
				t.Error("a disabled user signs in")
			}
			return visitor(devidp.Cancel)(ctx, page) // and gives up
		}
		if _, err := h.who(t, way); !errors.Is(err, signin.ErrDeclined) {
			t.Errorf("error %v", err)
		}
	})
}

func TestManyCallsAtOnceSignInOnce(t *testing.T) {
	h := newHouse(t, devidp.Standard)
	opened := 0
	way := &signin.Browser{ClientID: h.cli, Open: func(ctx context.Context, page string) error {
		opened++
		return visitor(devidp.UserUser)(ctx, page)
	}}
	s, err := client.Connect(t.Context(), h.mcp, client.Options{SignIn: way})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h.provider.Faults().ReplaceKeys() // every token is refused from now on, until one is refreshed
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if _, err := s.Call(t.Context(), "who", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if opened != 1 {
		t.Errorf("the browser was opened %d times", opened)
	}
}

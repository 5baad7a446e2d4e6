package signin_test

import (
	"errors"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// TestAttack59_ACodeOfAnotherAuthorizationServerIsNotRedeemed: metadata that name the page of an honest authorization
// server and a token endpoint of their own would have the honest one's code.
func TestAttack59_ACodeOfAnotherAuthorizationServerIsNotRedeemed(t *testing.T) {
	const issuer = "https://as.example"
	for _, row := range []struct {
		name, page, tokens string
		iss                string // in the answer; empty means none
		taken              bool
	}{
		{"an honest page that names nobody", "https://honest.test/authorize", "https://as.example/token", "", false},
		{"an honest page that names itself", "https://honest.test/authorize", "https://as.example/token", "https://honest.test", false},
		{"another's page below one suffix", "https://honest.co.uk/authorize", "https://evil.co.uk/token", "", false},
		{"another customer's page of one host", "https://honest.github.io/authorize", "https://evil.github.io/token", "", false},
		{"a page elsewhere that names its issuer", "https://pages.test/authorize", "https://as.example/token", issuer, true},
		{"a page on the issuer's site", "https://login.as.example/authorize", "https://tokens.test/token", "", true},
		{"a page beside its token endpoint", "https://login.pages.test/authorize", "https://api.pages.test/token", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			r := s.request()
			r.Authorization.AuthorizationEndpoint, r.Authorization.TokenEndpoint = row.page, row.tokens
			b := &signin.Browser{ClientID: "c", Open: answered(t, r, func(q url.Values) {
				if row.iss != "" {
					q.Set("iss", row.iss)
				}
			})}
			_, err := b.SignIn(t.Context(), r)
			if row.taken && err != nil || !row.taken && (!errors.Is(err, signin.ErrForged) || len(s.forms) != 0) {
				t.Errorf("error %v, %d requests", err, len(s.forms))
			}
		})
	}
}

func TestAttack59_ADeviceCodeOfAnotherAuthorizationServerIsNotShown(t *testing.T) {
	for _, row := range []struct {
		name, endpoint, page, complete string
		shown                          bool
	}{
		{"all of one site", "https://as.example/device", "https://www.as.example/activate", "https://as.example/activate?c=A", true},
		{"an endpoint of an honest one", "https://honest.test/device", "https://honest.test/activate", "", false},
		{"a page of an honest one", "https://as.example/device", "https://honest.test/activate", "", false},
		{"a page of an honest one with the code inside", "https://as.example/device", "https://as.example/activate", "https://honest.test/activate?c=A", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			s.device = func(url.Values) (int, any) {
				return 200, map[string]any{"device_code": "d", "user_code": "u", "verification_uri": row.page, "verification_uri_complete": row.complete,
					"expires_in": 900, "interval": 1}
			}
			r, shown := s.request(), false
			r.Authorization.DeviceAuthorizationEndpoint = row.endpoint
			_, err := (&signin.Device{ClientID: "c", Prompt: func(signin.DevicePrompt) { shown = true }}).SignIn(t.Context(), r)
			if shown != row.shown || row.shown != (err == nil) || !row.shown && !errors.Is(err, signin.ErrForged) {
				t.Errorf("%s: shown %v, error %v", row.name, shown, err)
			}
		})
	}
}

// TestC18_NoTokenForMicrosoftsOwnAPIs is asked for because a server says so: it would go to that server.
func TestC18_NoTokenForMicrosoftsOwnAPIs(t *testing.T) {
	entra := idp.Entra("11111111-1111-1111-1111-111111111111")
	for _, row := range []struct {
		name, server, scope string
		set, earlier        []string
		asked               bool
	}{
		{"a scope of an API of its own", "https://mcp.example/mcp", "api://app/execute", nil, nil, true},
		{"one by its address", "https://mcp.example/mcp", "https://mcp.example/execute", nil, nil, true},
		{"what belongs to the sign-in", "https://mcp.example/mcp", "openid", nil, nil, true},
		{"a name that is none of Graph's is Entra's to refuse", "https://mcp.example/mcp", "execute", nil, nil, true},
		{"Graph, without its name", "https://mcp.example/mcp", "Mail.Read", nil, nil, false},
		{"all of Graph, without its name", "https://mcp.example/mcp", ".default", nil, nil, false},
		{"Graph by its address", "https://mcp.example/mcp", "https://graph.microsoft.com/Mail.Read", nil, nil, false},
		{"Graph by its address in capitals", "https://mcp.example/mcp", "HTTPS://Graph.Microsoft.com./Mail.Read", nil, nil, false},
		{"Graph by its id", "https://mcp.example/mcp", "00000003-0000-0000-C000-000000000000/.default", nil, nil, false},
		{"Azure", "https://mcp.example/mcp", "https://management.azure.com//user_impersonation", nil, nil, false},
		{"a mailbox", "https://mcp.example/mcp", "https://outlook.office.com/.default", nil, nil, false},
		{"a server of a customer of Azure", "https://evil.azurewebsites.net/mcp", "Mail.Read", nil, nil, false},
		{"a server that only sounds like one", "https://graph.microsoft.com.evil.example/mcp", "Mail.Read", nil, nil, false},
		{"one of Microsoft's own servers", "https://mcp.dev.azure.com/org", "499b84ac-1321-427f-aa17-267ca6975798/.default", nil, nil, true},
		{"what the caller asks for", "https://mcp.example/mcp", "x", []string{"Mail.Read"}, nil, true},
		{"what the token had", "https://mcp.example/mcp", "api://app/more", nil, []string{"User.Read"}, true},
		{"more than the caller asked for", "https://mcp.example/mcp", "Mail.Read", []string{"api://app/execute"}, []string{"api://app/execute"}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			r := s.request()
			r.Server, r.Challenge.Scopes, r.Earlier = row.server, []string{row.scope}, row.earlier
			d := &signin.Device{ClientID: "c", Provider: &entra, Scopes: row.set, Prompt: func(signin.DevicePrompt) {}}
			_, err := d.SignIn(t.Context(), r)
			if row.asked && err != nil || !row.asked && (!errors.Is(err, signin.ErrForeignScope) || len(s.forms) != 0) {
				t.Errorf("%s: error %v, %d requests", row.name, err, len(s.forms))
			}
		})
	}
}

package bearer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

func TestFaultsOfConfigNameTheirField(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*bearer.Config)
		fault  string
	}{
		{"a missing resource", func(c *bearer.Config) { c.Resource = "" }, "Config.Resource"},
		{"a resource over http off loopback", func(c *bearer.Config) { c.Resource = "http://mcp.example.com/mcp" }, "Config.Resource"},
		{"a resource with a fragment", func(c *bearer.Config) { c.Resource += "#x" }, "Config.Resource"},
		{"a resource with a password", func(c *bearer.Config) { c.Resource = "https://a:b@mcp.example.com/mcp" }, "Config.Resource"},
		{"a resource with braces", func(c *bearer.Config) { c.Resource += "/{id}" }, "Config.Resource"},
		{"a resource with a space", func(c *bearer.Config) { c.Resource += "/a%20b" }, "Config.Resource"},
		{"a resource with an escaped slash", func(c *bearer.Config) { c.Resource += "/a%2Fb" }, "Config.Resource"},
		{"a resource with dots", func(c *bearer.Config) { c.Resource += "/../x" }, "Config.Resource"},
		{"no provider", func(c *bearer.Config) { c.Providers = nil }, "Config.Providers"},
		{"the zero provider", func(c *bearer.Config) { c.Providers = []idp.Provider{{}} }, "Config.Providers[0]"},
		{"an issuer over http off loopback", func(c *bearer.Config) { c.Providers[0] = idp.OIDC("http://idp.example.com") }, "Config.Providers[0].Issuers"},
		{"a symmetric algorithm", func(c *bearer.Config) { c.Providers[0].Algorithms = []string{"HS256"} }, "Config.Providers[0].Algorithms"},
		{"alg none", func(c *bearer.Config) { c.Providers[0].Algorithms = []string{"none"} }, "Config.Providers[0].Algorithms"},
		{"no algorithm", func(c *bearer.Config) { c.Providers[0].Algorithms = nil }, "Config.Providers[0].Algorithms"},
		{"the same issuer twice", func(c *bearer.Config) { c.Providers = append(c.Providers, c.Providers[0]) }, "Config.Providers"},
		{"attack 51 RS-9 Entra without an audience", func(c *bearer.Config) { c.Providers[0] = idp.Entra(tenant) }, "Config.Audience"},
		{"attack 51 RS-9 Google without an audience", func(c *bearer.Config) { c.Providers[0] = idp.Google() }, "Config.Audience"},
		{"RS-9 attack 20 an empty audience", func(c *bearer.Config) { c.Audience = []string{""} }, "Config.Audience"},
		{"RS-9 attack 20 an empty audience of a provider", func(c *bearer.Config) { c.Providers[0].Audience = []string{""} }, "Config.Providers[0].Audience"},
		{"Entra 9 Graph as audience", func(c *bearer.Config) {
			c.Providers[0], c.Audience = idp.Entra(tenant), []string{"https://graph.microsoft.com"}
		}, "Config.Audience"},
		{"Entra 7 many tenants without an allow-list", func(c *bearer.Config) {
			c.Providers[0], c.Audience = idp.Entra("organizations"), []string{"app"}
		}, "Config.Providers[0].Tenants"},
		{"Entra 7 a tenant that is no id", func(c *bearer.Config) {
			c.Providers[0], c.Audience = idp.Entra("organizations"), []string{"app"}
			c.Providers[0].Tenants = []string{"example.com"}
		}, "Config.Providers[0].Tenants"},
		{"tenants at a provider without tenants", func(c *bearer.Config) { c.Providers[0].Tenants = []string{"a"} }, "Config.Providers[0].Tenants"},
		{"an unknown policy for guests", func(c *bearer.Config) { c.Providers[0].Guests = "maybe" }, "Config.Providers[0].Guests"},
		{"RS-7 offline_access as a scope", func(c *bearer.Config) { c.Scopes = []string{"offline_access"} }, "Config.Scopes"},
		{"a scope with a space", func(c *bearer.Config) { c.Scopes = []string{"a b"} }, "Config.Scopes"},
		{"a prefix with a quote", func(c *bearer.Config) { c.ScopePrefix, c.Scopes = `"`, []string{"a"} }, "Config.Scopes"},
		{"an authorization server over http", func(c *bearer.Config) { c.AuthorizationServers = []string{"http://a.example.com"} }, "Config.AuthorizationServers"},
		{"RS-2 no authorization server", func(c *bearer.Config) { c.Providers[0].AuthorizationServers = nil }, "Config.Providers"},
		{"a leeway of an hour", func(c *bearer.Config) { c.Leeway = time.Hour }, "Config.Leeway"},
		{"a negative interval", func(c *bearer.Config) { c.KeyInterval = -1 }, "Config.KeyInterval"},
		{"a negative size", func(c *bearer.Config) { c.MaxTokenBytes = -1 }, "Config.MaxTokenBytes"},
		{"a documentation that is no URL", func(c *bearer.Config) { c.Documentation = "javascript:x" }, "Config.Documentation"},
		{"attack 51 introspection without a secret", func(c *bearer.Config) {
			c.Introspection = &bearer.Introspection{URL: "https://idp.example.com/introspect", ClientID: "rs"}
		}, "Config.Introspection.ClientSecret"},
		{"introspection over http", func(c *bearer.Config) {
			c.Introspection = &bearer.Introspection{URL: "http://idp.example.com/introspect", ClientID: "rs", ClientSecret: "s"}
		}, "Config.Introspection.URL"},
		{"introspection for an issuer of nobody", func(c *bearer.Config) {
			c.Introspection = &bearer.Introspection{URL: "https://idp.example.com/i", ClientID: "rs", ClientSecret: "s", Issuer: "https://x.example.com"}
		}, "Config.Introspection.Issuer"},
		{"introspection that is believed for an hour", func(c *bearer.Config) {
			c.Introspection = &bearer.Introspection{URL: "https://idp.example.com/i", ClientID: "rs", ClientSecret: "s", CacheFor: time.Hour}
		}, "Config.Introspection.CacheFor"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			cfg := bearer.Config{Resource: resource, Providers: []idp.Provider{idp.OIDC("https://idp.example.com")}}
			row.change(&cfg)
			g, err := bearer.New(cfg)
			if err == nil || g != nil || !strings.Contains(err.Error(), "bearer: "+row.fault+":") {
				t.Errorf("%v, want a fault of %s", err, row.fault)
			}
		})
	}
	t.Run("all faults come at once", func(t *testing.T) {
		_, err := bearer.New(bearer.Config{Scopes: []string{"offline_access"}, Leeway: time.Hour})
		for _, field := range []string{"Resource", "Providers", "Scopes", "Leeway"} {
			if err == nil || !strings.Contains(err.Error(), "Config."+field+":") {
				t.Errorf("%v does not name %s", err, field)
			}
		}
	})
	t.Run("two tenants of Entra side by side are fine", func(t *testing.T) {
		_, err := bearer.New(bearer.Config{Resource: resource, Audience: []string{"app"},
			Providers: []idp.Provider{idp.Entra(tenant), idp.Entra("99999999-2222-3333-4444-555555555555")}})
		if err != nil {
			t.Error(err)
		}
	})
}

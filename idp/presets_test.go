package idp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

const tenant = "11111111-2222-3333-4444-555555555555"

func presets() []idp.Provider {
	return []idp.Provider{
		idp.Entra(tenant), idp.Entra("common"), idp.EntraIn(idp.EntraUSGov, tenant), idp.EntraIn(idp.EntraChina, tenant), idp.Keycloak("https://sso.example.com", "r"),
		idp.Auth0("t.eu.auth0.com"), idp.Okta("t.okta.com", ""), idp.Google(), idp.OIDC("https://idp.example.com"), idp.Dev("http://127.0.0.1:8080"),
	}
}

func TestEveryPresetIsWhole(t *testing.T) {
	for _, p := range presets() {
		if p.Name == "" || len(p.Issuers) == 0 || len(p.AuthorizationServers) == 0 || len(p.Algorithms) == 0 || len(p.TokenTypes) == 0 || len(p.Claims.Scopes) == 0 || len(p.Claims.ClientID) == 0 {
			t.Errorf("%+v", p)
		}
		for _, alg := range p.Algorithms {
			if alg == "none" || strings.HasPrefix(alg, "HS") {
				t.Errorf("attack 19 %s accepts %s", p.Name, alg)
			}
		}
		// Attack 25: each says how ID tokens are told from access tokens.
		strict := len(p.TokenTypes) == 1 && p.TokenTypes[0] == "at+jwt"
		if !strict && p.AccessTokenClaims == nil && p.TypeClaim == "" && !p.OpaqueTokens {
			t.Errorf("attack 25 %s cannot tell ID tokens from access tokens", p.Name)
		}
	}
}

func TestPresetsShareNothing(t *testing.T) {
	a, b := idp.Entra(tenant), idp.Entra(tenant)
	a.Issuers[0].Name, a.Algorithms[0], a.Claims.Scopes[0] = "x", "x", idp.Path{"x"}
	a.ForeignAudiences["x"] = "x"
	if b.Issuers[0].Name == "x" || b.Algorithms[0] == "x" || b.Claims.Scopes[0][0] == "x" || b.ForeignAudiences["x"] != "" {
		t.Error("changing one value changes another")
	}
}

func TestEntraAddresses(t *testing.T) {
	for _, row := range []struct {
		name             string
		p                idp.Provider
		v2, v2doc        string
		v1, v1doc        string
		tenants          []string
		many             bool
		accepts, refuses string
	}{
		{"Entra 2 the public cloud", idp.Entra(tenant),
			"https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/" + tenant + "/v2.0/.well-known/openid-configuration",
			"https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.com/" + tenant + "/.well-known/openid-configuration", []string{tenant}, false, "", ""},
		{"Entra 24 the cloud of the US government", idp.EntraIn(idp.EntraUSGov, tenant),
			"https://login.microsoftonline.us/{tenantid}/v2.0", "https://login.microsoftonline.us/" + tenant + "/v2.0/.well-known/openid-configuration",
			"https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.us/" + tenant + "/.well-known/openid-configuration", []string{tenant}, false, "", ""},
		{"Entra 24 the cloud in China", idp.EntraIn(idp.EntraChina, tenant),
			"https://login.partner.microsoftonline.cn/{tenantid}/v2.0", "https://login.partner.microsoftonline.cn/" + tenant + "/v2.0/.well-known/openid-configuration",
			"https://sts.chinacloudapi.cn/{tenantid}/", "https://login.partner.microsoftonline.cn/" + tenant + "/.well-known/openid-configuration", []string{tenant}, false, "", ""},
		{"a tenant in upper case is the same tenant", idp.Entra(strings.ToUpper(tenant)),
			"https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/" + tenant + "/v2.0/.well-known/openid-configuration",
			"https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.com/" + tenant + "/.well-known/openid-configuration", []string{tenant}, false, "", ""},
		{"Entra 7 many tenants", idp.Entra("organizations"),
			"https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration",
			"https://sts.windows.net/{tenantid}/", "https://login.microsoftonline.com/organizations/.well-known/openid-configuration", nil, true, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			want := []idp.Issuer{{Name: row.v2, Discovery: row.v2doc, Version: "2.0"}, {Name: row.v1, Discovery: row.v1doc, Version: "1.0"}}
			if !slices.Equal(row.p.Issuers, want) || !slices.Equal(row.p.Tenants, row.tenants) || row.p.MultiTenant != row.many {
				t.Errorf("%+v, tenants %q, many %v", row.p.Issuers, row.p.Tenants, row.p.MultiTenant)
			}
			if !row.p.AudienceApart || !row.p.OmitsPKCEMetadata || row.p.RegistersClients || !row.p.RefusesResource {
				t.Errorf("Entra 3 10 12: %+v", row.p)
			}
			if row.p.Device.DeclinedCode != "authorization_declined" || !row.p.Device.OmitsCompleteURI {
				t.Errorf("Entra 18: %+v", row.p.Device)
			}
		})
	}
}

func TestIssuerAccepts(t *testing.T) {
	template := idp.Issuer{Name: "https://login.example.com/{tenantid}/v2.0"}
	for _, row := range []struct {
		name        string
		issuer      idp.Issuer
		iss, tenant string
		want        bool
	}{
		{"the same text", idp.Issuer{Name: "https://a"}, "https://a", "", true},
		{"a slash more", idp.Issuer{Name: "https://a"}, "https://a/", "", false},
		{"other case", idp.Issuer{Name: "https://a"}, "https://A", "", false},
		{"nothing at all", idp.Issuer{}, "", "", false},
		{"Entra 7 the tenant in its place", template, "https://login.example.com/" + tenant + "/v2.0", tenant, true},
		{"Entra 7 attack 21 another tenant", template, "https://login.example.com/" + tenant + "/v2.0", "99999999-2222-3333-4444-555555555555", false},
		{"Entra 7 attack 21 no tenant", template, "https://login.example.com//v2.0", "", false},
		{"Entra 7 attack 21 a tenant that is no GUID", template, "https://login.example.com/evil/v2.0", "evil", false},
		{"Entra 7 attack 21 the placeholder as tenant", template, template.Name, "{tenantid}", false},
		{"Entra 7 a GUID in upper case", template, "https://login.example.com/" + strings.ToUpper("aaaaaaaa-2222-3333-4444-555555555555") + "/v2.0", strings.ToUpper("aaaaaaaa-2222-3333-4444-555555555555"), false},
	} {
		if got := row.issuer.Accepts(row.iss, row.tenant); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestRecognize(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.microsoftonline.com/" + tenant + "/v2.0": "entra",
		"https://login.microsoftonline.us/common/v2.0":          "entra",
		"https://login.microsoftonline.com/":                    "oidc",
		"https://login.microsoftonline.com.evil.example/t/v2.0": "oidc",
		"http://login.microsoftonline.com/" + tenant + "/v2.0":  "oidc",
		"https://user@login.microsoftonline.com/t/v2.0":         "oidc",
		"https://accounts.google.com":                           "google",
		"https://accounts.google.com/":                          "oidc",
		"https://t.eu.auth0.com/":                               "auth0",
		"https://auth0.com.evil.example/":                       "oidc",
		"https://t.okta.com/oauth2/default":                     "okta",
		"https://t.okta.com":                                    "oidc",
		"https://sso.example.com/realms/main":                   "keycloak",
		"https://sso.example.com/auth/realms/main":              "keycloak",
		"https://sso.example.com/realms/main/":                  "oidc",
		"https://idp.example.com":                               "oidc",
		"http://127.0.0.1:8080":                                 "oidc",
		"http://127.0.0.1:8080/" + tenant + "/v2.0":             "entra",
		"http://[::1]:8080/" + tenant + "/v2.0":                 "entra",
		"http://127.0.0.1:8080/some/" + tenant + "/v2.0":        "oidc",
		"http://127.0.0.1:8080/main/v2.0":                       "oidc",
		"http://127.0.0.1.evil.example/" + tenant + "/v2.0":     "oidc",
		"https://evil.example/" + tenant + "/v2.0":              "oidc",
		"http://user@127.0.0.1:8080/" + tenant + "/v2.0":        "oidc",
		"":    "oidc",
		"%zz": "oidc",
	} {
		p := idp.Recognize(issuer)
		if p.Name != want {
			t.Errorf("%s is %s, want %s", issuer, p.Name, want)
		}
		if p.Name != "entra" && p.Issuers[0].Name != issuer {
			t.Errorf("%s: the preset is for %s", issuer, p.Issuers[0].Name)
		}
	}
}

func ExampleEntra() {
	p := idp.Entra("organizations")
	p.Tenants = []string{"11111111-2222-3333-4444-555555555555"} // those who may come
	p.Guests = idp.GuestsDenied
	fmt.Println(p.Name, p.AuthorizationServers, p.AudienceApart)
	// Output: entra [https://login.microsoftonline.com/organizations/v2.0] true
}

func ExampleOIDC() {
	p := idp.OIDC("https://idp.example.com")
	p.Claims.Roles = []idp.Path{{"https://example.com/roles"}} // a claim with a name of one's own
	fmt.Println(p.Issuers[0].Name, p.Claims.Roles)
	// Output: https://idp.example.com [https://example.com/roles]
}

package idp

import "strings"

// EntraCloud is one of Microsoft's clouds: where people sign in, and the issuer of version 1 tokens. Neither ends
// in a slash.
type EntraCloud struct {
	Login string // such as "https://login.microsoftonline.com"
	STS   string // such as "https://sts.windows.net"
}

var (
	EntraPublic = EntraCloud{Login: "https://login.microsoftonline.com", STS: "https://sts.windows.net"}
	EntraUSGov  = EntraCloud{Login: "https://login.microsoftonline.us", STS: "https://sts.windows.net"}
	EntraChina  = EntraCloud{Login: "https://login.partner.microsoftonline.cn", STS: "https://sts.chinacloudapi.cn"}
)

// personalAccounts is the tenant of Microsoft's personal accounts.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Entra is Microsoft Entra ID in the public cloud. See [EntraIn].
func Entra(tenant string) Provider { return EntraIn(EntraPublic, tenant) }

// EntraIn is Microsoft Entra ID in one cloud. The tenant is its id or a verified domain; prefer the id, since the
// metadata of a domain names the id, and clients that compare strictly refuse the difference. "common",
// "organizations" and "consumers" stand for many tenants; the first two need an allow-list in [Provider.Tenants].
//
// Tokens of version 1 and 2 are both accepted, since the API's manifest and not the endpoint chooses the version.
// Their audience is the API's client id or App ID URI, which must be configured. An API with signing keys of its own
// adds "?appid=<client id>" to the Discovery of each issuer.
func EntraIn(cloud EntraCloud, tenant string) Provider {
	login, sts := trimSlash(cloud.Login), trimSlash(cloud.STS)
	if lower := strings.ToLower(tenant); IsGUID(lower) {
		tenant = lower
	}
	p := Provider{
		Name: "entra",
		Issuers: []Issuer{
			{
				Name:      login + "/" + TenantPlaceholder + "/v2.0",
				Discovery: login + "/" + tenant + "/v2.0/.well-known/openid-configuration",
				Version:   "2.0",
			},
			{
				Name:      sts + "/" + TenantPlaceholder + "/",
				Discovery: login + "/" + tenant + "/.well-known/openid-configuration",
				Version:   "1.0",
			},
		},
		AuthorizationServers: []string{login + "/" + tenant + "/v2.0"},
		Algorithms:           []string{"RS256"},
		TokenTypes:           []string{"jwt", "at+jwt"},
		// Access tokens name the client; ID tokens of Entra do not.
		AccessTokenClaims: []string{"azp", "appid"},
		IDTokenClaims:     []string{"nonce", "at_hash", "c_hash"},
		AudienceApart:     true,
		ForeignAudiences: map[string]string{
			"00000003-0000-0000-c000-000000000000":     "Microsoft Graph",
			"https://graph.microsoft.com":              "Microsoft Graph",
			"https://graph.microsoft.com/":             "Microsoft Graph",
			"https://graph.microsoft.us":               "Microsoft Graph",
			"https://graph.microsoft.us/":              "Microsoft Graph",
			"https://microsoftgraph.chinacloudapi.cn":  "Microsoft Graph",
			"https://microsoftgraph.chinacloudapi.cn/": "Microsoft Graph",
			"00000002-0000-0000-c000-000000000000":     "Azure AD Graph",
			"https://graph.windows.net":                "Azure AD Graph",
			"https://graph.windows.net/":               "Azure AD Graph",
		},
		Claims: Claims{
			Scopes:           []Path{{"scp"}},
			Roles:            []Path{{"roles"}},
			Groups:           []Path{{"groups"}},
			Tenant:           Path{"tid"},
			ObjectID:         Path{"oid"},
			ClientID:         []Path{{"azp"}, {"appid"}},
			Name:             []Path{{"name"}},
			Username:         []Path{{"preferred_username"}, {"upn"}, {"unique_name"}},
			Email:            []Path{{"email"}},
			TokenID:          []Path{{"uti"}},
			NeedsObjectID:    true,
			GroupsOverage:    true,
			HomeIdP:          Path{"idp"},
			GuestFlag:        Path{"acct"},
			AppWhen:          []Match{{Path{"idtyp"}, "app"}},
			PersonWhen:       []Match{{Path{"idtyp"}, "user"}},
			AppWithoutScopes: true,
		},
		NeedsPermission:   true,
		OmitsPKCEMetadata: true,
		RefusesResource:   true,
		Device:            DeviceFlow{DeclinedCode: "authorization_declined", OmitsCompleteURI: true},
	}
	switch tenant {
	case "common":
		p.MultiTenant = true
	case "organizations":
		p.MultiTenant = true
		p.DeniedTenants = []string{personalAccounts}
	case "consumers":
		p.MultiTenant = true
		p.Tenants = []string{personalAccounts}
	default:
		if IsGUID(tenant) {
			p.Tenants = []string{tenant}
		}
	}
	return p
}

package idp

import "net/url"

// Keycloak is one realm of a Keycloak server. The baseURL is the server's, with the relative path if it has one
// ("https://sso.example.com" or "https://sso.example.com/auth").
//
// Keycloak writes into aud only what an audience mapper adds. Roles are the realm's, and those of the client that an
// accepted audience names.
func Keycloak(baseURL, realm string) Provider {
	issuer := trimSlash(baseURL) + "/realms/" + url.PathEscape(realm)
	p := OIDC(issuer)
	p.Name = "keycloak"
	p.Issuers[0].Discovery = issuer + "/.well-known/openid-configuration"
	p.TokenTypes = []string{"jwt", "at+jwt"}
	// The claim typ tells access, ID and refresh tokens apart. Older versions copy nonce into access tokens.
	p.TypeClaim, p.AccessTokenType = "typ", "Bearer"
	p.AccessTokenClaims = nil
	p.IDTokenClaims = []string{"at_hash", "c_hash"}
	p.Claims.Roles = []Path{{"realm_access", "roles"}, {"resource_access", "{audience}", "roles"}}
	p.Claims.ClientID = []Path{{"azp"}}
	// A person could choose such a user name, but not the claim, which Keycloak sets for service accounts.
	p.Claims.AppWhen = []Match{{Path{"client_id"}, "{client_id}"}, {Path{"preferred_username"}, "service-account-{client_id}"}}
	p.RegistersClients, p.RefreshesOnline = true, true
	return p
}

package idp

import "net/url"

// Okta is a custom authorization server of an Okta organization: the domain without a scheme
// ("example.okta.com") and the server's id, often "default".
//
// The tokens of the organization's own authorization server are not for third parties; an empty id therefore means
// "default".
func Okta(domain, authServerID string) Provider {
	if authServerID == "" {
		authServerID = "default"
	}
	issuer := "https://" + trimSlash(domain) + "/oauth2/" + url.PathEscape(authServerID)
	p := OIDC(issuer)
	p.Name = "okta"
	p.Issuers[0].Discovery = issuer + "/.well-known/oauth-authorization-server"
	p.Algorithms = []string{"RS256", "ES256"}
	p.TokenTypes = []string{"", "jwt", "at+jwt"}
	// Access tokens name the client in cid; ID tokens do not.
	p.AccessTokenClaims = []string{"cid"}
	p.Claims.Scopes = []Path{{"scp"}}
	p.Claims.ObjectID = Path{"uid"} // sub is the login, which an administrator may change
	p.Claims.ClientID = []Path{{"cid"}}
	p.Claims.Username = nil
	p.Claims.AppWhen = []Match{{Path{"sub"}, "{client_id}"}}
	p.RegistersClients = true
	return p
}
